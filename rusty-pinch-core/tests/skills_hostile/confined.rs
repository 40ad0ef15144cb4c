//! What a child can do although nobody wrote a script that does it: nothing.

use std::net::TcpListener;
use std::sync::Arc;

use rusty_pinch_core::SystemClock;

use crate::setup::command;

/// The child tries for itself, past any script.
#[tokio::test]
async fn nothing_that_is_tried_inside_works() {
    if !cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))) {
        println!("SKIPPED: no filter of system calls on this platform");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let report = command().probe_with(Arc::new(SystemClock), Some(port)).await.unwrap();
    assert_eq!(report.open, [""; 0], "{report:?}");
    assert_eq!(
        report.refused,
        [
            "reading a file",
            "reading its environment",
            "writing a file",
            "connecting to a port",
            "opening a socket",
            "starting a thread",
            "starting a process",
            "finding another process",
            "becoming another program",
        ]
    );
    assert!(report.is_closed());
    assert!(listener.accept().is_err(), "somebody connected");
}
