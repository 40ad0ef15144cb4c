//! A server of one page, for clients that keep their connections.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Serves a page of `bytes` on loopback for as long as the process lives.
///
/// # Errors
/// When no port is free.
pub fn page_server(bytes: usize) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let mut page =
        format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {bytes}\r\n\r\n").into_bytes();
    page.resize(page.len() + bytes, b'x');
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let page = page.clone();
            std::thread::spawn(move || answer(stream, &page));
        }
    });
    Ok(address)
}

/// Answers until the client goes away.
fn answer(mut stream: TcpStream, page: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(piece.get(..read).unwrap_or_default());
        if request.ends_with(b"\r\n\r\n") {
            request.clear();
            stream.write_all(page)?;
        }
    }
}
