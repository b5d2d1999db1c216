//! The client machine on a wire: writes what it says, feeds it what comes, wakes it at its deadlines.
//!
//! Whatever happens to the connection is told to the machine, which turns it into outcomes; so nothing
//! here fails. Buffers live on the stack while they are polled, not in the futures: a session that waits
//! holds none.

use std::{
    future::{Future, poll_fn},
    io, mem,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use smtp::{
    EnhancedStatus, Trouble,
    client::{Client, Output},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use world::kerberos::Kerberos;

use crate::{content::Content, wire::Wire};

/// Content up to this goes out in one write, end of data included.
const WHOLE_MAX: u64 = 64 * 1024;
/// Bigger content is read and written in pieces of this.
const PIECE: usize = 128 * 1024;
/// A write buffer bigger than this is given back after use.
const BUFFER_KEPT_MAX: usize = 16 * 1024;
/// What is read at once. Replies are short.
const READ: usize = 4 * 1024;

pub(crate) struct Driver {
    pub(crate) client: Client,
    wire: Option<Wire>,
    origin: Instant,
    /// Armed at the machine's deadline or before it; set again only when it goes off too early, as
    /// most deadlines are never reached.
    timer: Pin<Box<Sleep>>,
    buffer: Vec<u8>,
    /// Of a login by GSSAPI that is under way.
    pub(crate) kerberos: Option<Kerberos>,
}

impl Driver {
    pub(crate) fn new(client: Client, wire: Wire, origin: Instant) -> Self {
        let at = client.deadline().map_or(origin, |deadline| origin + deadline);
        let timer = Box::pin(sleep_until(at));
        Self { client, wire: Some(wire), origin, timer, buffer: Vec::new(), kerberos: None }
    }

    /// Since the connection was begun.
    pub(crate) fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    pub(crate) fn wire(&mut self) -> Option<&mut Wire> {
        self.wire.as_mut()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.wire.is_some()
    }

    /// For a handshake; [`put_wire`](Self::put_wire) brings it back, encrypted.
    pub(crate) fn take_wire(&mut self) -> Option<Wire> {
        self.wire.take()
    }

    pub(crate) fn put_wire(&mut self, wire: Wire) {
        self.wire = Some(wire);
    }

    /// The machine's next output, after as much writing and reading as it takes. `Close` is obeyed here
    /// and said again whenever there is no connection any more.
    pub(crate) async fn next(&mut self) -> Output {
        loop {
            self.write_commands().await;
            match self.client.poll() {
                Some(Output::Close) => {
                    self.hang_up();
                    return Output::Close;
                }
                Some(output) => return output,
                None if self.wire.is_none() => return Output::Close,
                None => {
                    self.step(&[]).await;
                }
            }
        }
    }

    /// Takes what the machine says without waiting for anything. To be called after `Finished`, which a
    /// `Close` may follow.
    pub(crate) fn settle(&mut self) {
        while let Some(output) = self.client.poll() {
            if output == Output::Close {
                self.hang_up();
            }
        }
    }

    /// Sends the content that the machine asked for, up to the command that ends it.
    pub(crate) async fn send_content(&mut self, content: &dyn Content) {
        match content.in_memory() {
            Some(pieces) if content.len() <= WHOLE_MAX => self.send_whole(&pieces).await,
            in_memory => self.send_pieces(content, in_memory).await,
        }
    }

    /// Everything in one write: what is left of the commands, the content, its end.
    async fn send_whole(&mut self, pieces: &[Bytes]) {
        let now = self.now();
        let mut out = mem::take(&mut self.buffer);
        out.append(self.client.commands());
        for piece in pieces {
            self.client.frame(now, piece, &mut out);
        }
        self.client.content_sent(now);
        out.append(self.client.commands());
        self.write(&out).await;
        self.keep(out);
    }

    async fn send_pieces(&mut self, content: &dyn Content, in_memory: Option<[Bytes; 2]>) {
        self.write_commands().await;
        let mut out = mem::take(&mut self.buffer);
        let mut offset = 0;
        while offset < content.len() && self.client.wants_content() && self.wire.is_some() {
            let piece = match &in_memory {
                Some(pieces) => Ok(slice(pieces, offset)),
                None => content.read(offset, PIECE).await,
            };
            let piece = match piece {
                Ok(piece) if !piece.is_empty() => piece,
                other => {
                    self.content_lost(offset, other.err());
                    break;
                }
            };
            offset += piece.len() as u64;
            let now = self.now();
            if self.client.passes_whole(now, &piece) {
                self.write(&piece).await;
            } else {
                out.clear();
                self.client.frame(now, &piece, &mut out);
                self.write(&out).await;
            }
            self.listen();
        }
        self.keep(out);
        // Does nothing where the transaction has ended before.
        self.client.content_sent(self.now());
    }

    /// Our own source has failed us. What the path did with the octets before is evidence all the same.
    fn content_lost(&mut self, offset: u64, error: Option<io::Error>) {
        self.note_unconfirmed();
        let why = error.map_or_else(|| "it ends there".to_owned(), |error| error.to_string());
        let text = format!("the content could not be read at octet {offset}: {why}");
        let trouble = Trouble::Local(EnhancedStatus::new(4, 3, 0), text);
        self.client.content_failed(self.now(), trouble);
    }

    async fn write_commands(&mut self) {
        while !self.client.commands().is_empty() {
            let mut commands = mem::take(self.client.commands());
            self.write(&commands).await;
            if self.client.commands().is_empty() {
                commands.clear();
                *self.client.commands() = commands;
            }
        }
    }

    /// Writes all of it, unless the session ends on the way. What the peer says meanwhile is heard, so
    /// that both can't wait for each other.
    async fn write(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() && self.wire.is_some() {
            if self.client.deadline().is_none() {
                // The peer has answered before it heard all: whatever is written now, nobody can say
                // where its next command begins.
                return self.hang_up();
            }
            let written = self.step(rest).await;
            rest = &rest[written..];
        }
        self.flush().await;
    }

    /// Writes some octets (how many is returned), or hears some, or lets the deadline pass.
    async fn step(&mut self, octets: &[u8]) -> usize {
        poll_fn(|cx| {
            let Some(wire) = &mut self.wire else { return Poll::Ready(0) };
            if !octets.is_empty() {
                match Pin::new(wire).poll_write(cx, octets) {
                    Poll::Ready(Ok(written)) => return Poll::Ready(written),
                    Poll::Ready(Err(error)) => {
                        self.broken(cx, &error);
                        return Poll::Ready(0);
                    }
                    Poll::Pending => {}
                }
            }
            if self.poll_hear(cx).is_ready() {
                return Poll::Ready(0);
            }
            self.poll_deadline(cx).map(|()| 0)
        })
        .await
    }

    /// Under TLS, octets that were "written" may still lie here.
    async fn flush(&mut self) {
        if !self.wire.as_ref().is_some_and(Wire::is_encrypted) {
            return;
        }
        poll_fn(|cx| {
            loop {
                let Some(wire) = &mut self.wire else { return Poll::Ready(()) };
                match Pin::new(wire).poll_flush(cx) {
                    Poll::Ready(Ok(())) => return Poll::Ready(()),
                    Poll::Ready(Err(error)) => {
                        self.broken(cx, &error);
                        return Poll::Ready(());
                    }
                    Poll::Pending => {}
                }
                if self.poll_hear(cx).is_pending() {
                    if self.client.deadline().is_none() {
                        self.hang_up();
                        return Poll::Ready(());
                    }
                    ready!(self.poll_deadline(cx));
                }
            }
        })
        .await;
    }

    /// Feeds the machine what has come, if anything has.
    fn listen(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        while self.poll_hear(&mut cx).is_ready() && self.wire.is_some() {}
    }

    fn poll_hear(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut space = [MaybeUninit::uninit(); READ];
        let mut heard = ReadBuf::uninit(&mut space);
        let Some(wire) = &mut self.wire else { return Poll::Ready(()) };
        match ready!(Pin::new(wire).poll_read(cx, &mut heard)) {
            Ok(()) if heard.filled().is_empty() => {
                self.client.closed_by_peer(self.now());
                self.wire = None;
            }
            Ok(()) => self.client.feed(self.now(), heard.filled()),
            Err(error) => self.lost(&error),
        }
        Poll::Ready(())
    }

    /// Writing failed. The reason often stands in what can still be read.
    fn broken(&mut self, cx: &mut Context<'_>, error: &io::Error) {
        while self.wire.is_some() && self.poll_hear(cx).is_ready() {}
        if self.wire.is_some() {
            self.lost(error);
        }
    }

    fn lost(&mut self, error: &io::Error) {
        let now = self.now();
        match error.kind() {
            // Under TLS: closed without a `close_notify`, as many do.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
                self.client.closed_by_peer(now)
            }
            io::ErrorKind::ConnectionReset => {
                self.client.network_failed(now, "the connection was reset by the peer".to_owned());
            }
            io::ErrorKind::TimedOut => {
                self.client
                    .network_failed(now, "the peer's machine does not answer any more".to_owned());
            }
            _ => self.client.network_failed(now, error.to_string()),
        }
        self.wire = None;
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.client.deadline() else { return Poll::Pending };
        let at = self.origin + deadline;
        if self.timer.deadline() > at {
            self.timer.as_mut().reset(at);
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            if now >= at {
                self.note_unconfirmed();
                self.client.expire(now - self.origin);
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(at);
        }
    }

    fn note_unconfirmed(&mut self) {
        let lost = self.wire.as_ref().and_then(|wire| wire.stream().unconfirmed());
        if let Some(lost) = lost {
            self.client.note(self.now(), lost.to_string());
        }
    }

    /// Closes, with a `close_notify` if that can be done at once.
    pub(crate) fn hang_up(&mut self) {
        if let Some(mut wire) = self.wire.take() {
            let mut cx = Context::from_waker(Waker::noop());
            // The session is over: how this ends changes nothing any more.
            let _ = Pin::new(&mut wire).poll_shutdown(&mut cx);
        }
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= BUFFER_KEPT_MAX {
            buffer.clear();
            self.buffer = buffer;
        }
    }
}

/// The next piece from `offset` on of content that is in memory.
fn slice(pieces: &[Bytes; 2], offset: u64) -> Bytes {
    let mut start = usize::try_from(offset).unwrap_or(usize::MAX);
    for piece in pieces {
        if start < piece.len() {
            return piece.slice(start..piece.len().min(start + PIECE));
        }
        start -= piece.len();
    }
    Bytes::new()
}
