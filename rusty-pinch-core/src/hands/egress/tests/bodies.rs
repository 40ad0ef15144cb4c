//! What comes back is bounded, and what goes out is bytes.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{HeaderMap, HeaderValue};

use super::super::body::BodyReader;
use super::super::bounds::{HEAD_BYTES_MAX, HEADERS_MAX, RATIO_FREE_BYTES};
use super::super::{Egress, EgressError, Fetch};
use super::stub::{Internet, answer, fetch, get, ok, post};

const KIB: usize = 1024;
const MIB: usize = 1024 * 1024;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Text that shrinks to about a third.
fn prose(bytes: usize) -> Vec<u8> {
    let mut number = 1_u32;
    let words = std::iter::from_fn(|| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some(format!("{:x} ", number >> 16))
    });
    words.flat_map(String::into_bytes).take(bytes).collect()
}

async fn answered(headers: &'static [(&'static str, &'static str)], body: Vec<u8>) -> Result<Vec<u8>, EgressError> {
    let internet = Internet::of(move |_| answer(200, headers, &body)).await;
    fetch(&internet, &get("http://example.com/")).await.map(|fetched| fetched.body)
}

async fn raw(head: &'static str, body: Vec<u8>) -> Result<Vec<u8>, EgressError> {
    let internet = Internet::of(move |_| [head.as_bytes(), &body].concat()).await;
    fetch(&internet, &get("http://example.com/")).await.map(|fetched| fetched.body)
}

const GZIP: &[(&str, &str)] = &[("content-encoding", "gzip")];

#[tokio::test]
async fn a_body_fits_to_the_byte() {
    assert_eq!(answered(&[], vec![b'x'; MIB]).await.unwrap().len(), MIB);
    let error = answered(&[], vec![b'x'; MIB + 1]).await.unwrap_err().to_string();
    assert_eq!(error, "the answer of example.com is larger than 1048576 bytes, so none of it is taken");
    let text = prose(MIB);
    assert_eq!(answered(GZIP, gzip(&text)).await.unwrap(), text);
    let long = answered(GZIP, gzip(&prose(MIB + 1))).await;
    assert!(matches!(long, Err(EgressError::TooLarge { what, .. }) if what == "1048576 bytes"));
    assert_eq!(answered(&[("content-encoding", "X-GZIP")], gzip(b"short")).await.unwrap(), b"short");
    assert_eq!(answered(&[("content-encoding", "identity")], b"short".to_vec()).await.unwrap(), b"short");
    assert_eq!(answered(GZIP, vec![]).await.unwrap(), b"");
    let two = [gzip(b"one "), gzip(b"two")].concat();
    assert_eq!(answered(GZIP, two).await.unwrap(), b"one two");
}

#[tokio::test]
async fn bombs_are_stopped_by_their_ratio_before_they_are_large() {
    // 64 MiB of zeros in 64 KiB, and the same in itself.
    let bomb = gzip(&vec![0; 64 * MIB]);
    assert!(bomb.len() < 80 * KIB);
    let error = answered(GZIP, bomb.clone()).await.unwrap_err().to_string();
    assert!(error.contains("larger than 100 times what was sent"), "{error}");
    let nested = answered(&[("content-encoding", "gzip, gzip")], gzip(&bomb)).await.unwrap_err().to_string();
    assert!(nested.contains("`gzip, gzip`, and only gzip was asked for"), "{nested}");
    let twice = answered(&[("content-encoding", "gzip"), ("content-encoding", "gzip")], gzip(&bomb)).await;
    assert!(matches!(twice, Err(EgressError::Broken { .. })), "{twice:?}");
    // A short page of blanks is no bomb.
    assert_eq!(answered(GZIP, gzip(&vec![b' '; RATIO_FREE_BYTES])).await.unwrap().len(), RATIO_FREE_BYTES);
}

#[tokio::test]
async fn other_encodings_are_refused_unread() {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(&vec![0; MIB]).unwrap();
    let zlib = zlib.finish().unwrap();
    for (headers, name) in [
        (&[("content-encoding", "br")][..], "`br`"),
        (&[("content-encoding", "zstd")], "`zstd`"),
        (&[("content-encoding", "deflate")], "`deflate`"),
        (&[("content-encoding", "compress")], "`compress`"),
        (&[("content-encoding", "br"), ("content-encoding", "gzip")], "`br, gzip`"),
    ] {
        let error = answered(headers, zlib.clone()).await.unwrap_err();
        let EgressError::Broken { detail, .. } = &error else { panic!("{error:?}") };
        assert!(detail.contains(name), "{detail}");
    }
    // It is not asked for either.
    let internet = Internet::of(|_| ok()).await;
    fetch(&internet, &get("http://example.com/")).await.unwrap();
    assert_eq!(internet.log().requests[0].headers["accept-encoding"], "gzip");
}

#[test]
fn a_bomb_takes_no_more_memory_than_its_bound() {
    let mut headers = HeaderMap::new();
    headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    // Just under the ratio, so that the cap has to stop it: prose and zeros by turns.
    let mut text = Vec::new();
    while text.len() < 2 * MIB {
        text.extend_from_slice(&prose(4 * KIB));
        text.extend_from_slice(&[0; 28 * KIB]);
    }
    let bound = MIB / 4;
    let mut reader = BodyReader::new("h", &headers, bound).unwrap();
    let (mut fed, mut error) = (0, None);
    for piece in gzip(&text).chunks(700) {
        fed += piece.len();
        if let Err(why) = reader.feed(piece) {
            error = Some(why);
            break;
        }
        assert!(reader.capacity() <= 2 * bound, "{}", reader.capacity());
    }
    assert!(matches!(&error, Some(EgressError::TooLarge { what, .. }) if what == "262144 bytes"), "{error:?}");
    assert!(fed < bound, "{fed}");
    // Members that hold nothing are endless without growing: what is received is bounded too.
    let bound = 8 * KIB;
    let mut reader = BodyReader::new("h", &headers, bound).unwrap();
    let empty = gzip(b"");
    let members = (0..).find(|_| reader.feed(&empty).is_err()).unwrap();
    assert!(members * empty.len() <= bound + RATIO_FREE_BYTES + empty.len());
}

#[tokio::test]
async fn broken_answers_are_told() {
    for (what, result) in [
        ("cut gzip", answered(GZIP, gzip(&prose(KIB))[..100].to_vec()).await),
        ("no gzip", answered(GZIP, b"plain".to_vec()).await),
        (
            "wrong sum",
            answered(GZIP, {
                let mut bytes = gzip(b"text");
                let end = bytes.len() - 5;
                bytes[end] ^= 1;
                bytes
            })
            .await,
        ),
        ("no HTTP", raw("SSH-2.0-OpenSSH_9.9\r\n\r\n", vec![]).await),
        ("bad chunks", raw("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", vec![]).await),
        ("two lengths", raw("HTTP/1.1 200 X\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", vec![]).await),
    ] {
        assert!(matches!(result, Err(EgressError::Broken { .. })), "{what}: {result:?}");
    }
    // A length that says too much is believed: nothing of the body is read.
    let lie = raw("HTTP/1.1 200 X\r\ncontent-length: 99999999999\r\n\r\n", vec![]).await;
    assert!(matches!(lie, Err(EgressError::TooLarge { .. })), "{lie:?}");
}

#[tokio::test]
async fn a_head_is_bounded_in_bytes_and_in_lines() {
    let many = |count: usize| {
        let lines: String = (0..count).map(|at| format!("x-{at}: 1\r\n")).collect();
        format!("HTTP/1.1 200 X\r\n{lines}content-length: 0\r\n\r\n").into_bytes()
    };
    assert!(raw("", many(HEADERS_MAX - 1)).await.is_ok());
    for count in [HEADERS_MAX, 100_000] {
        let error = raw("", many(count)).await.unwrap_err();
        assert!(matches!(&error, EgressError::TooLarge { what, .. } if what.contains("128 headers")), "{error:?}");
    }
    let long = format!("HTTP/1.1 200 X\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "a".repeat(HEAD_BYTES_MAX));
    assert!(matches!(raw("", long.into_bytes()).await, Err(EgressError::TooLarge { .. })));
}

#[tokio::test]
async fn a_body_is_bytes_and_never_the_name_of_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "s3cret").unwrap();
    let path = file.path().display();
    for body in
        ["@/etc/hostname".to_owned(), "</etc/hostname".to_owned(), format!("@{path}"), format!("<{path}"), "-".into()]
    {
        let internet = Internet::of(|_| ok()).await;
        fetch(&internet, &post("http://example.com/", body.as_bytes())).await.unwrap();
        let log = internet.log();
        assert_eq!((log.requests.len(), String::from_utf8_lossy(&log.requests[0].body)), (1, body.into()));
    }
    // Neither are headers.
    let internet = Internet::of(|_| ok()).await;
    let request = Fetch { headers: vec![("x-note".into(), format!("@{path}"))], ..get("http://example.com/") };
    fetch(&internet, &request).await.unwrap();
    assert_eq!(internet.log().requests[0].headers["x-note"], format!("@{path}"));
}

/// What a server sends behind its answer is not the answer to the next question.
#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_not_taken() {
    let internet = Internet::of(|seen| {
        let more = if seen.path() == "/first" { answer(200, &[], b"unasked") } else { Vec::new() };
        [answer(200, &[], seen.path().as_bytes()), more].concat()
    })
    .await;
    let egress = internet.egress();
    for round in 0..20 {
        for path in ["/first", "/second"] {
            let url = format!("http://example.com{path}");
            // A connection that was spoiled may fail; it may not lie.
            let body = egress.fetch(&get(&url)).await.map(|fetched| fetched.body);
            assert!(body.as_ref().is_err() || body.as_deref() == Ok(path.as_bytes()), "{round} {path}: {body:?}");
        }
    }
    assert_eq!(egress.fetch(&get("http://example.com/second")).await.unwrap().body, b"/second");
}
