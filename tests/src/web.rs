//! A web server on the loopback, of few words: whoever checks tokens asks one.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::ports;

/// It lives as long as the process.
pub struct Web {
    /// Where it listens.
    pub port: u16,
    asked: Arc<AtomicUsize>,
}

impl Web {
    /// Starts it. `answer` gets each request, head and body, and gives the body of a 200; none is a 401.
    ///
    /// # Panics
    ///
    /// When there is no port for it.
    pub fn start(answer: impl Fn(&str) -> Option<String> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", ports::free())).expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let request = request(&mut stream);
                count.fetch_add(1, Ordering::SeqCst);
                let (status, body) = match answer(&request) {
                    Some(body) => ("200 OK", body),
                    None => ("401 No", String::new()),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                     Connection: close\r\n\r\n"
                );
                let _gone = stream.write_all((head + &body).as_bytes());
            }
        });
        Self { port, asked }
    }

    /// How many requests there were.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn request(stream: &mut TcpStream) -> String {
    let mut octets = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let count = stream.read(&mut piece).unwrap_or(0);
        octets.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&octets);
        let head = text.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next());
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        let is_whole = text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length);
        if is_whole || count == 0 {
            return text.into_owned();
        }
    }
}
