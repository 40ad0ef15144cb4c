//! Silence and slowness end. Time is tokio's, paused: it jumps when everybody waits.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use super::super::http::HttpEgress;
use super::super::resolve::{Dial, Resolve};
use super::super::{Egress, EgressError, EgressSettings, Fetch};
use super::stub::{Internet, get, read_request};
use crate::data::Timestamp;
use crate::sys::Clock;
use crate::testing::VirtualClock;

/// What a slow server does.
#[derive(Clone, Copy, Debug)]
enum Slow {
    /// It takes the request and says nothing.
    Silent,
    /// It sends its head a byte a second.
    Head,
    /// It sends its body a byte a second.
    Body,
    /// It sends half a body and is silent.
    Stalls,
    /// It says ten times a second that it goes on, and never answers.
    Continues,
    /// It sends a body without end, as fast as it can.
    Endless,
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n";

async fn serve(mut stream: TcpStream, slow: Slow) -> Option<()> {
    read_request(&mut stream).await?;
    match slow {
        Slow::Silent => {}
        Slow::Head => drip(&mut stream, HEAD).await?,
        Slow::Body => {
            stream.write_all(HEAD).await.ok()?;
            drip(&mut stream, &[b'x'; 100]).await?;
        }
        Slow::Stalls => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await.ok()?,
        Slow::Continues => loop {
            stream
                .write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
                .await
                .ok()?;
            sleep(Duration::from_millis(100)).await;
        },
        Slow::Endless => {
            stream.write_all(HEAD).await.ok()?;
            loop {
                stream.write_all(&[b'x'; 4096]).await.ok()?;
            }
        }
    }
    sleep(Duration::from_secs(3600)).await;
    Some(())
}

async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> Option<()> {
    stream.set_nodelay(true).unwrap();
    for byte in bytes {
        stream.write_u8(*byte).await.ok()?;
        sleep(Duration::from_secs(1)).await;
    }
    Some(())
}

async fn fetched(slow: Slow, request: impl FnOnce(&Fetch) -> Fetch) -> (Result<Vec<u8>, EgressError>, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, slow));
        }
    });
    let opened = vec![address.to_string().parse().unwrap()];
    let settings = EgressSettings { opened, ..EgressSettings::default() };
    let egress = HttpEgress::builder(&settings).clock(VirtualClock::default()).build();
    let began = Instant::now();
    let fetched = egress.fetch(&request(&get(&format!("http://{address}/")))).await;
    (fetched.map(|fetched| fetched.body), began.elapsed())
}

fn timed_out(result: &Result<Vec<u8>, EgressError>, part: &str) {
    match result {
        Err(EgressError::TimedOut { what, .. }) => assert!(what.contains(part), "{what}"),
        other => panic!("{part}: {other:?}"),
    }
}

fn about(took: Duration, secs: u64) {
    let secs = Duration::from_secs(secs);
    assert!(took >= secs && took < secs + Duration::from_millis(500), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn silence_ends_after_five_seconds() {
    // Promises are no answer either.
    for slow in [Slow::Silent, Slow::Stalls, Slow::Continues] {
        let (result, took) = fetched(slow, Fetch::clone).await;
        timed_out(&result, "5s of silence");
        about(took, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_second_ends_after_twenty_seconds() {
    let (result, took) = fetched(Slow::Body, Fetch::clone).await;
    timed_out(&result, "20s in all");
    about(took, 20);
    // A head that drips is no head: to the client it is silence.
    let (result, took) = fetched(Slow::Head, Fetch::clone).await;
    timed_out(&result, "5s of silence");
    about(took, 5);
}

#[tokio::test(start_paused = true)]
async fn the_callers_deadline_ends_it_earlier() {
    let deadline = VirtualClock::default().now() + Duration::from_secs(3);
    let (result, took) = fetched(Slow::Body, |request| Fetch { deadline, ..request.clone() }).await;
    timed_out(&result, "3s, all the time that this request had");
    about(took, 3);
    let past = Timestamp::from_millis(0);
    let (result, took) = fetched(Slow::Body, |request| Fetch { deadline: past, ..request.clone() }).await;
    timed_out(&result, "0ns, all the time");
    about(took, 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_without_end_ends_at_its_bound() {
    let (result, took) = fetched(Slow::Endless, Fetch::clone).await;
    assert!(matches!(&result, Err(EgressError::TooLarge { what, .. }) if what == "1048576 bytes"), "{result:?}");
    about(took, 0);
}

/// Nothing ever comes of it.
#[derive(Debug)]
struct Never;

#[async_trait]
impl Resolve for Never {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        std::future::pending().await
    }
}

#[async_trait]
impl Dial for Never {
    async fn dial(&self, _: SocketAddr) -> std::io::Result<TcpStream> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_or_an_address_that_never_answers_ends_with_the_connection() {
    let internet = Internet::of(|_| super::stub::ok()).await;
    let builder = || internet.builder(&EgressSettings::default());
    for (egress, url, secs) in [
        (builder().resolve(Never).build(), "http://example.com/", 5),
        (builder().dial(Never).build(), "http://8.8.8.8/", 2),
    ] {
        let began = Instant::now();
        let error = egress.fetch(&get(url)).await.unwrap_err();
        about(began.elapsed(), secs);
        assert!(matches!(error, EgressError::TimedOut { .. } | EgressError::Unreachable { .. }), "{error:?}");
    }
}

/// The first address leads nowhere, the second to the internet.
#[derive(Debug)]
struct DeadFirst(Internet);

#[async_trait]
impl Dial for DeadFirst {
    async fn dial(&self, address: SocketAddr) -> std::io::Result<TcpStream> {
        if address.is_ipv6() { std::future::pending().await } else { self.0.dial(address).await }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_route_does_not_hide_a_live_one() {
    let both = vec!["2606:4700::1".parse().unwrap(), "93.184.215.14".parse().unwrap()];
    let names = [("dual.example".to_owned(), vec![Ok(both)])].into();
    let internet = Internet::new(names, &["example.com"], |_| super::stub::ok()).await;
    let egress = internet.builder(&EgressSettings::default()).dial(DeadFirst(internet.clone())).build();
    let began = Instant::now();
    assert_eq!(egress.fetch(&get("http://dual.example/")).await.unwrap().body, b"hello");
    about(began.elapsed(), 2);
}
