//! What must not work inside the sandbox, tried there.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};

use super::report::Tried;

/// Tries each thing that can be tried without harm, and tells `say` of each. `port` is one that somebody listens on.
pub(super) fn probe(port: Option<u16>, mut say: impl FnMut(Tried) -> io::Result<()>) -> io::Result<()> {
    let attempts: [(&str, bool); 8] = [
        ("reading a file", reads("/etc/passwd")),
        ("reading its environment", reads("/proc/self/environ")),
        ("writing a file", writes()),
        ("connecting to a port", connects(port)),
        ("opening a socket", is_allowed(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))),
        ("starting a thread", std::thread::Builder::new().spawn(|| {}).is_ok()),
        ("starting a process", starts_a_process()),
        ("finding another process", finds_its_parent()),
    ];
    for (what, worked) in attempts {
        say(Tried { what: what.to_owned(), worked })?;
    }
    // The last: if it works, nothing of this program is left to say so, and the parent misses this line.
    let what = BECOMES_ANOTHER_PROGRAM.to_owned();
    become_another_program();
    say(Tried { what, worked: false })
}

/// The attempt that nobody reports when it works.
pub(super) const BECOMES_ANOTHER_PROGRAM: &str = "becoming another program";

fn reads(path: &str) -> bool {
    File::open(path).and_then(|mut file| file.read(&mut [0; 1])).is_ok()
}

fn writes() -> bool {
    let path = std::env::temp_dir().join(format!("rusty-pinch-probe-{}", std::process::id()));
    let worked = File::create_new(&path).is_ok();
    if worked {
        let _ = std::fs::remove_file(&path);
    }
    worked
}

fn connects(port: Option<u16>) -> bool {
    // Without anybody who listens, being refused by the peer is to have reached it.
    is_allowed(TcpStream::connect((Ipv4Addr::LOCALHOST, port.unwrap_or(9))))
}

/// Whether an attempt got further than being told that it is not permitted.
fn is_allowed<T>(attempt: io::Result<T>) -> bool {
    !attempt.is_err_and(|error| matches!(error.kind(), ErrorKind::PermissionDenied) || out_of_files(&error))
}

#[cfg(unix)]
fn out_of_files(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error())
}

#[cfg(not(unix))]
fn out_of_files(_: &io::Error) -> bool {
    false
}

#[expect(clippy::disallowed_methods, reason = "whether a process can be started is what is tried")]
fn starts_a_process() -> bool {
    std::process::Command::new("/bin/true").status().is_ok()
}

#[cfg(unix)]
fn finds_its_parent() -> bool {
    rustix::process::getppid().is_some_and(|parent| rustix::process::test_kill_process(parent).is_ok())
}

#[cfg(not(unix))]
fn finds_its_parent() -> bool {
    true
}

#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "whether another program can be run is what is tried")]
fn become_another_program() {
    use std::os::unix::process::CommandExt;
    let _ = std::process::Command::new("/bin/true").exec();
}

#[cfg(not(unix))]
fn become_another_program() {}
