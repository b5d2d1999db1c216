//! Free ports on 127.0.0.1.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the ports that the kernel gives to clients (32768 and up), so that none is taken between our look
/// and the server's bind.
const FIRST: u16 = 16_000;
const COUNT: u16 = 16_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on. Each call gives another one; test processes start at different places.
///
/// # Panics
///
/// When all ports are taken.
pub fn free() -> u16 {
    // The process's number parts those that run at once; 61 is about what one of them uses.
    let start = (std::process::id() % 250) as u16 * 61;
    for _ in 0..COUNT {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(offset) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} to {} is free", FIRST + COUNT)
}
