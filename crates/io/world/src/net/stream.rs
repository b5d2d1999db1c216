//! One connection, whatever carries it.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use rustix::net::RecvFlags;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
};

use smtp::Unconfirmed;

use super::Endpoint;
use crate::sim::net::SimStream;

/// One connection. Reads and writes as tokio has them, vectored writes included.
#[derive(Debug)]
pub enum Stream {
    /// TCP, with TCP_NODELAY; the peer's address.
    Tcp(TcpStream, SocketAddr),
    /// A Unix socket; the path of the listening one.
    Unix(UnixStream, Arc<Path>),
    /// Simulated.
    Sim(SimStream),
}

/// What an idle connection looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Open, with nothing to read.
    Quiet,
    /// There is something to read. On a clear connection between transactions that is what a server
    /// says before it closes (`421`); under TLS it may be a session ticket.
    Octets,
    /// The peer closed or reset it.
    Closed,
}

impl Stream {
    /// The other end.
    pub fn peer(&self) -> Endpoint {
        match self {
            Self::Tcp(_, peer) => Endpoint::Ip(*peer),
            Self::Unix(_, path) => Endpoint::Unix(Arc::clone(path)),
            Self::Sim(sim) => sim.peer(),
        }
    }

    /// Our end.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local(&self) -> io::Result<Endpoint> {
        match self {
            Self::Tcp(tcp, _) => tcp.local_addr().map(Endpoint::Ip),
            Self::Unix(_, path) => Ok(Endpoint::Unix(Arc::clone(path))),
            Self::Sim(sim) => Ok(sim.local()),
        }
    }

    /// Waits until there is something to read, or the end, or an error; so that a session that says
    /// nothing needs no buffer. May wake in vain.
    ///
    /// # Errors
    /// None in practice; what the operating system says.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp, _) => tcp.readable().await,
            Self::Unix(unix, _) => unix.readable().await,
            Self::Sim(sim) => sim.readable().await,
        }
    }

    /// Reads what is there without waiting; 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else what the operating system says.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp, _) => tcp.try_read(buffer),
            Self::Unix(unix, _) => unix.try_read(buffer),
            Self::Sim(sim) => sim.try_read(buffer),
        }
    }

    /// What of our octets was sent again and never acknowledged; asked when the peer is silent. `None` if there is
    /// nothing of that kind, or it is not known.
    pub fn unconfirmed(&self) -> Option<Unconfirmed> {
        match self {
            Self::Tcp(tcp, peer) => super::unconfirmed::of(tcp.local_addr().ok()?, *peer),
            Self::Unix(..) => None,
            Self::Sim(sim) => sim.unconfirmed(),
        }
    }

    /// So many octets that were just read never arrived: who sent them waits for their acknowledgment. That is how
    /// a box plays a path that loses packets in a simulated network; a real one acknowledges by itself.
    pub fn lose(&self, octets: usize) {
        if let Self::Sim(sim) = self {
            sim.lose(octets);
        }
    }

    /// Has the connection broken off (RST) instead of closed (FIN) when it is dropped, so that the other
    /// end learns of it at once and loses what it has not read. Of a Unix socket it means nothing.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn reset_on_drop(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp, _) => tcp.set_zero_linger(),
            Self::Unix(..) => Ok(()),
            Self::Sim(sim) => {
                sim.reset_on_drop();
                Ok(())
            }
        }
    }

    /// Looks, without taking anything, whether a connection that should be idle can be used again.
    /// One system call.
    pub fn idle(&self) -> Idle {
        // Straight to the socket: tokio's own idea of readiness is as old as its last look.
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let mut octet = [0];
        let peeked = match self {
            Self::Tcp(tcp, _) => rustix::net::recv(tcp, &mut octet, flags),
            Self::Unix(unix, _) => rustix::net::recv(unix, &mut octet, flags),
            Self::Sim(sim) => return sim.idle(),
        };
        match peeked {
            Ok((0, _)) => Idle::Closed,
            Ok(_) => Idle::Octets,
            Err(error) if error == rustix::io::Errno::AGAIN => Idle::Quiet,
            Err(_) => Idle::Closed,
        }
    }
}

macro_rules! on_each {
    ($stream:expr, $inner:ident => $do:expr) => {
        match $stream.get_mut() {
            Stream::Tcp($inner, _) => $do,
            Stream::Unix($inner, _) => $do,
            Stream::Sim($inner) => $do,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_each!(self, inner => Pin::new(inner).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_each!(self, inner => Pin::new(inner).poll_write(cx, octets))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_each!(self, inner => Pin::new(inner).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_each!(self, inner => Pin::new(inner).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_each!(self, inner => Pin::new(inner).poll_shutdown(cx))
    }
}
