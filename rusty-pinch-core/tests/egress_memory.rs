//! Hostile answers over real sockets, with the memory of this process watched. One test, so that nobody else allocates.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that fails panics, and measures time")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use rusty_pinch_core::{Clock, Egress, EgressError, EgressSettings, Fetch, FetchMethod, HttpEgress, SystemClock};

const MIB: usize = 1024 * 1024;
/// What a fetch may add to the peak of the process: the body, its growth by doubling, buffers, and the runtime.
const GROWTH_MAX: usize = 16 * MIB;
/// The settings say two seconds; the rest is for a machine that is busy.
const TIME_MAX: Duration = Duration::from_secs(30);

/// The peak of this process's memory, in bytes; none where the system does not tell.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<usize>().ok().map(|kib| kib * 1024)
}

/// A server that sends `head`, then `piece` for ever, until the client hangs up.
fn endless(head: &'static str, piece: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = flood(&mut stream, head, &piece);
        }
    });
    address
}

fn flood(stream: &mut TcpStream, head: &str, piece: &[u8]) -> std::io::Result<()> {
    let _ = stream.read(&mut [0; 4096])?;
    stream.write_all(head.as_bytes())?;
    loop {
        stream.write_all(piece)?;
    }
}

fn zeros(bytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..bytes / MIB {
        encoder.write_all(&vec![0; MIB]).unwrap();
    }
    encoder.finish().unwrap()
}

#[tokio::test]
async fn hostile_answers_cost_a_bounded_peak_and_time() {
    const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";
    const GZIP: &str = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n";
    let hostile = [
        ("an endless body", endless(OK, vec![b'x'; 64 * 1024])),
        ("a bomb of 256 MiB", endless(GZIP, zeros(256 * MIB))),
        ("endless headers", endless("HTTP/1.1 200 OK\r\n", b"x-header: y\r\n".repeat(100_000))),
        ("one endless header", endless("HTTP/1.1 200 OK\r\nx: ", vec![b'y'; 64 * 1024])),
        ("endless interim answers", endless("", b"HTTP/1.1 103 X\r\n\r\n".repeat(1000))),
        ("endless blanks", endless(OK, vec![b' '; 64 * 1024])),
    ];
    let mut settings = EgressSettings::default();
    settings.opened = hostile.iter().map(|(_, address)| address.to_string().parse().unwrap()).collect();
    settings.timeout = Duration::from_secs(2);
    let egress = HttpEgress::new(&settings);
    for (what, address) in hostile {
        let fetch = Fetch {
            method: FetchMethod::Get,
            url: format!("http://{address}/"),
            headers: vec![],
            body: vec![],
            hosts: None,
            bytes_max: MIB,
            deadline: SystemClock.now() + Duration::from_secs(60),
        };
        let (before, began) = (peak(), Instant::now());
        let error = egress.fetch(&fetch).await.unwrap_err();
        assert!(matches!(error, EgressError::TooLarge { .. } | EgressError::TimedOut { .. }), "{what}: {error:?}");
        assert!(began.elapsed() < TIME_MAX, "{what}: {:?}", began.elapsed());
        if let (Some(before), Some(after)) = (before, peak()) {
            assert!(after - before <= GROWTH_MAX, "{what}: {} KiB", (after - before) / 1024);
            println!("{what}: {} KiB, {:?}, {error}", (after - before) / 1024, began.elapsed());
        }
    }
}
