//! The listening socket, its connections, and what they recorded.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::http::{Buffer, Request, read_request};
use crate::reply::{End, Reply};

type Script = dyn FnMut(usize, &Request) -> Reply + Send;

/// A server that plays a model, on a thread of its own until it is dropped.
pub struct FakeModel {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    script: Mutex<Box<Script>>,
    requests: Mutex<Vec<Request>>,
    counts: watch::Sender<Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    connections: usize,
    requests: usize,
    disconnects: usize,
}

/// A script that always gives this reply.
pub fn always(reply: Reply) -> impl FnMut(usize, &Request) -> Reply + Send + 'static {
    move |_, _| reply.clone()
}

/// A script that gives these replies in order; the last one repeats.
pub fn sequence(replies: impl Into<Vec<Reply>>) -> impl FnMut(usize, &Request) -> Reply + Send + 'static {
    let replies: Vec<Reply> = replies.into();
    move |number, _| replies.get(number).or(replies.last()).cloned().unwrap_or_else(Reply::close)
}

impl FakeModel {
    /// Listens on a free port of 127.0.0.1 and answers the n-th request (counted from 0) with `script(n, request)`.
    pub fn start(script: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> Self {
        Self::bind(0, script).expect("a free port on 127.0.0.1")
    }

    /// The same on a port that is given.
    pub fn bind(port: u16, script: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            requests: Mutex::default(),
            counts: watch::Sender::default(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let serve = move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener that does not block");
                tokio::select! {
                    () = accept(listener, serving) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("fake-model".into()).spawn(serve)?;
        Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `url` with `/v1`, as clients want their base URL.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// The requests so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// How many requests there were so far.
    pub fn request_count(&self) -> usize {
        self.shared.counts.borrow().requests
    }

    /// How many connections there were so far.
    pub fn connection_count(&self) -> usize {
        self.shared.counts.borrow().connections
    }

    /// How many clients left before their reply was complete.
    pub fn disconnect_count(&self) -> usize {
        self.shared.counts.borrow().disconnects
    }

    /// Waits until there were `count` requests.
    pub async fn until_requests(&self, count: usize) {
        // The sender lives as long as `self`, so waiting can't fail.
        let _ = self.shared.counts.subscribe().wait_for(|counts| counts.requests >= count).await;
    }

    /// Waits until `count` clients left before their reply was complete.
    pub async fn until_disconnects(&self, count: usize) {
        let _ = self.shared.counts.subscribe().wait_for(|counts| counts.disconnects >= count).await;
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for FakeModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeModel").field("url", &self.url()).finish_non_exhaustive()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let mut connection = 0;
        shared.counts.send_modify(|counts| {
            connection = counts.connections;
            counts.connections += 1;
        });
        let shared = Arc::clone(&shared);
        // A client that breaks the connection is the client's business.
        tokio::spawn(async move { serve(stream, connection, &shared).await.unwrap_or_default() });
    }
}

async fn serve(mut stream: TcpStream, connection: usize, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.split();
    let mut buffer = Buffer::default();
    while let Some(mut request) = read_request(&mut reader, &mut writer, &mut buffer).await? {
        request.connection = connection;
        let closes = request.wants_close();
        let reply = shared.reply(request);
        tokio::select! {
            biased;
            sent = reply.send(&mut writer) => match sent {
                Ok(End::Keep) if !closes => {}
                Ok(_) => return Ok(()),
                Err(error) => {
                    shared.counts.send_modify(|counts| counts.disconnects += 1);
                    return Err(error);
                }
            },
            () = buffer.until_closed(&mut reader) => {
                shared.counts.send_modify(|counts| counts.disconnects += 1);
                return Ok(());
            }
        }
    }
    Ok(())
}

impl Shared {
    /// Records the request and asks the script, in one order for all connections.
    fn reply(&self, mut request: Request) -> Reply {
        let mut script = lock(&self.script);
        let number = lock(&self.requests).len();
        request.number = number;
        let reply = script(number, &request);
        lock(&self.requests).push(request);
        self.counts.send_modify(|counts| counts.requests += 1);
        reply
    }
}

/// A script that panicked has failed its test already; the rest may still be looked at.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
