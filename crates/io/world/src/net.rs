//! Connections.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// Where connections are made.
#[derive(Clone)]
pub enum Net {
    /// The machine's network.
    Real,
}

/// One connection.
pub enum Stream {
    /// TCP, with TCP_NODELAY.
    Tcp(TcpStream),
}

/// Where connections come in.
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
}
