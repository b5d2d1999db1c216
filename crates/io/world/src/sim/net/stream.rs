//! One end of a simulated connection.

use std::{
    fmt,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use smtp::Unconfirmed;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    Heard, Inner, SimNet, Wake,
    link::{Air, Connection, Look},
};
use crate::net::{Endpoint, Idle};

/// One end of a connection; dropping it closes.
pub struct SimStream {
    net: SimNet,
    id: u64,
    side: usize,
    /// As the connection has them: the connecting one first.
    endpoints: Arc<[Endpoint; 2]>,
    reading: Timer,
    writing: Timer,
    is_reset_on_drop: bool,
}

/// Wakes a task that waits for an arrival.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl SimStream {
    pub(super) fn new(net: SimNet, id: u64, side: usize, endpoints: Arc<[Endpoint; 2]>) -> Self {
        let (reading, writing) = (Timer::default(), Timer::default());
        Self { net, id, side, endpoints, reading, writing, is_reset_on_drop: false }
    }

    /// The other end.
    pub fn peer(&self) -> Endpoint {
        self.endpoints[1 - self.side].clone()
    }

    /// Our end.
    pub fn local(&self) -> Endpoint {
        self.endpoints[self.side].clone()
    }

    /// See [`crate::net::Stream::reset_on_drop`].
    pub fn reset_on_drop(&mut self) {
        self.is_reset_on_drop = true;
    }

    /// See [`crate::net::Stream::unconfirmed`].
    pub fn unconfirmed(&self) -> Option<Unconfirmed> {
        self.on(|connection, _| connection.unconfirmed(self.side, Instant::now())).ok().flatten()
    }

    /// See [`crate::net::Stream::lose`].
    pub fn lose(&self, octets: usize) {
        // Of a connection that is gone nothing is acknowledged anyway.
        let _ = self.on(|connection, _| connection.lose(self.side, octets, Instant::now()));
    }

    /// See [`crate::net::Stream::readable`].
    pub async fn readable(&self) -> io::Result<()> {
        let mut timer = Timer::default();
        poll_fn(|cx| {
            loop {
                let looked = self.on(|connection, _| {
                    let looked = connection.idle(self.side, Instant::now());
                    if let Look::Wait(_) = looked {
                        connection.wait_to_read(self.side, cx.waker());
                    }
                    looked
                })?;
                match looked {
                    Look::Done(_) => return Poll::Ready(Ok(())),
                    Look::Wait(until) => ready!(timer.poll(until, cx)),
                }
            }
        })
        .await
    }

    /// See [`crate::net::Stream::try_read`].
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let looked =
            self.on(|connection, wake| connection.read(self.side, Instant::now(), buffer, wake))?;
        match looked {
            Look::Done(result) => result,
            Look::Wait(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// See [`crate::net::Stream::idle`].
    pub fn idle(&self) -> Idle {
        match self.on(|connection, _| connection.idle(self.side, Instant::now())) {
            Ok(Look::Done(idle)) => idle,
            Ok(Look::Wait(_)) => Idle::Quiet,
            Err(_) => Idle::Closed,
        }
    }

    fn on<T>(&self, act: impl FnOnce(&mut Connection, &mut Wake) -> T) -> io::Result<T> {
        self.net.change(|inner, wake| match inner.connections.get_mut(&self.id) {
            Some(connection) => Ok(act(connection, wake)),
            None => Err(io::ErrorKind::NotConnected.into()),
        })
    }

    fn poll_slices(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (id, side) = (self.id, self.side);
        loop {
            let looked = self.net.change(|inner, wake| {
                let is_cut = inner.is_connection_cut(id);
                let Inner { connections, conditions, random, .. } = inner;
                let Some(connection) = connections.get_mut(&id) else {
                    return Look::Done(Err(io::ErrorKind::NotConnected.into()));
                };
                let air = Air { conditions, random, is_cut };
                let looked = connection.write(side, Instant::now(), slices, air, wake);
                if let Look::Wait(_) = looked {
                    connection.wait_to_write(side, cx.waker());
                }
                looked
            });
            match looked {
                Look::Done(result) => {
                    if let Ok(length) = result {
                        self.is_heard(slices, length);
                    }
                    return Poll::Ready(result);
                }
                Look::Wait(until) => ready!(self.writing.poll(until, cx)),
            }
        }
    }

    /// Tells who listens on the wire what was written; not under the network's lock.
    fn is_heard(&self, slices: &[IoSlice<'_>], mut length: usize) {
        let Some(listens) = self.net.change(|inner, _| inner.listens.clone()) else { return };
        for slice in slices {
            let octets = &slice[..slice.len().min(length)];
            length -= octets.len();
            let (connection, ends, side) = (self.id, &*self.endpoints, self.side);
            listens(&Heard { connection, ends, side, octets });
        }
    }
}

impl Inner {
    fn is_connection_cut(&self, id: u64) -> bool {
        self.connections.get(&id).is_some_and(|connection| {
            let [a, b] = connection.hosts;
            self.is_cut(a, b)
        })
    }
}

impl Timer {
    /// Ready when the time has come; with no time, only another's wake-up helps.
    fn poll(&mut self, until: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = until else { return Poll::Pending };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let side = self.side;
        loop {
            let looked = self.on(|connection, wake| {
                let unfilled = buffer.initialize_unfilled();
                let looked = connection.read(side, Instant::now(), unfilled, wake);
                if let Look::Wait(_) = looked {
                    connection.wait_to_read(side, cx.waker());
                }
                looked
            })?;
            match looked {
                Look::Done(length) => {
                    buffer.advance(length?);
                    return Poll::Ready(Ok(()));
                }
                Look::Wait(until) => ready!(self.reading.poll(until, cx)),
            }
        }
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_slices(cx, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_slices(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.net.change(|inner, wake| {
            let is_cut = inner.is_connection_cut(self.id);
            if let Some(connection) = inner.connections.get_mut(&self.id) {
                connection.end(self.side, Instant::now(), is_cut, wake);
            }
        });
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.net.change(|inner, wake| {
            let is_cut = inner.is_connection_cut(self.id);
            if let Some(connection) = inner.connections.get_mut(&self.id) {
                let now = Instant::now();
                if self.is_reset_on_drop {
                    connection.reset(self.side, now, is_cut, wake);
                }
                connection.close(self.side, now, is_cut, wake);
            }
            inner.forget(self.id, self.side);
        });
    }
}

impl fmt::Debug for SimStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimStream({} -> {})", self.local(), self.peer())
    }
}
