//! One connection, in clear or encrypted, for both roles.
//!
//! Reads and writes as tokio has them. Besides, [`Wire::readable`] and [`Wire::try_read`] let a session
//! wait without holding a buffer. Cancel safe, all of it.

use std::{
    io::{self, BufRead, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use world::net::{Endpoint, Idle, Stream};

use crate::tls::binding;

/// A byte stream to a peer.
pub enum Wire {
    /// In clear.
    Plain(Stream),
    /// We are the TLS server, with that certificate.
    ServerTls(Box<tokio_rustls::server::TlsStream<Stream>>, Option<Arc<CertifiedKey>>),
    /// We are the TLS client.
    ClientTls(Box<tokio_rustls::client::TlsStream<Stream>>),
}

macro_rules! on_each {
    ($wire:expr, $inner:ident => $do:expr) => {
        match $wire.get_mut() {
            Wire::Plain($inner) => $do,
            Wire::ServerTls($inner, _) => $do,
            Wire::ClientTls($inner) => $do,
        }
    };
}

impl Wire {
    /// The socket below.
    pub fn stream(&self) -> &Stream {
        match self {
            Self::Plain(stream) => stream,
            Self::ServerTls(tls, _) => tls.get_ref().0,
            Self::ClientTls(tls) => tls.get_ref().0,
        }
    }

    /// The socket, for a TLS handshake to begin on it. `Err` gives an encrypted wire back.
    pub fn into_stream(self) -> Result<Stream, Self> {
        match self {
            Self::Plain(stream) => Ok(stream),
            other => Err(other),
        }
    }

    /// Whether TLS stands.
    pub fn is_encrypted(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// The certificate that the client showed, and that a trusted issuer vouches for: DER.
    pub fn client_certificate(&self) -> Option<Vec<u8>> {
        let Self::ServerTls(tls, _) = self else { return None };
        Some(tls.get_ref().1.peer_certificates()?.first()?.to_vec())
    }

    /// The other end.
    pub fn peer(&self) -> Endpoint {
        self.stream().peer()
    }

    /// Our end.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local(&self) -> io::Result<Endpoint> {
        self.stream().local()
    }

    /// What a login can be bound to: nothing in clear.
    pub fn bindings(&self) -> sasl::Bindings {
        match self {
            Self::Plain(_) => sasl::Bindings::default(),
            Self::ServerTls(tls, own) => binding::of_server(tls.get_ref().1, own.as_deref()),
            Self::ClientTls(tls) => binding::of_client(tls.get_ref().1),
        }
    }

    /// Waits until [`try_read`](Self::try_read) may give something: octets, the end or an error. May
    /// wake in vain.
    ///
    /// # Errors
    /// None in practice; what the operating system says.
    pub async fn readable(&mut self) -> io::Result<()> {
        if self.has_decrypted() {
            return Ok(());
        }
        self.stream().readable().await
    }

    /// Reads what is there without waiting; 0 at the end.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; `UnexpectedEof` where TLS was cut off; else what the operating
    /// system says.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Plain(stream) = self {
            return stream.try_read(buffer);
        }
        // Whoever wants to be woken calls `readable`, which has a waker of its own.
        let mut cx = Context::from_waker(Waker::noop());
        let mut octets = ReadBuf::new(buffer);
        match Pin::new(self).poll_read(&mut cx, &mut octets) {
            Poll::Ready(Ok(())) => Ok(octets.filled().len()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Looks whether a connection that should be idle still is; one system call, and more only if TLS
    /// records have come (session tickets are nothing that the peer said).
    pub fn idle(&mut self) -> Idle {
        match self.stream().idle() {
            Idle::Octets if self.is_encrypted() => match self.try_read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Idle::Quiet,
                Ok(1..) => Idle::Octets,
                _ => Idle::Closed,
            },
            idle => idle,
        }
    }

    /// Ends our direction: `close_notify` under TLS, then FIN.
    ///
    /// # Errors
    /// What the operating system says; the peer may have been faster.
    pub async fn close(&mut self) -> io::Result<()> {
        self.shutdown().await
    }

    /// Whether octets lie here that were decrypted and not yet read. The socket knows nothing of them.
    fn has_decrypted(&mut self) -> bool {
        let mut reader = match self {
            Self::Plain(_) => return false,
            Self::ServerTls(tls, _) => tls.get_mut().1.reader(),
            Self::ClientTls(tls) => tls.get_mut().1.reader(),
        };
        // An empty read takes nothing; `WouldBlock` says that there is nothing.
        match reader.fill_buf() {
            Ok(_) => true,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_each!(self, inner => Pin::new(inner).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Wire {
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
