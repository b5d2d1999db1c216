//! One connection: two pipes, each with what is under way and when it arrives.
//!
//! | event                       | who reads                        | who writes                     |
//! |-----------------------------|----------------------------------|--------------------------------|
//! | shutdown                    | the rest, then the end           | -                              |
//! | close, all read             | the rest, then the end           | a reset, a round trip later    |
//! | close, octets unread        | a reset                          | a reset                        |
//! | reset                       | what arrived unread is lost too  | a reset                        |

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    net::IpAddr,
    task::Waker,
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use smtp::Unconfirmed;
use tokio::time::Instant;

use super::{Conditions, Wake, remember};
use crate::net::Idle;

/// The first wait of TCP's retransmission timer on Linux.
const FIRST_WAIT: Duration = Duration::from_millis(200);

pub(super) struct Connection {
    pub hosts: [IpAddr; 2],
    /// Whether an end still belongs to a stream, or waits to be accepted.
    pub held: [bool; 2],
    latency: Duration,
    /// What each side reads.
    incoming: [Pipe; 2],
    /// What of that was lost on the way, and since when.
    lost: [Option<(u64, Instant)>; 2],
}

#[derive(Default)]
struct Pipe {
    segments: VecDeque<Segment>,
    /// Of all segments: what the window bounds.
    octets: usize,
    is_ended: bool,
    is_reader_gone: bool,
    /// When this side learns of a reset.
    reset: Option<When>,
    readers: Vec<Waker>,
    /// The other side's, waiting for room.
    writers: Vec<Waker>,
}

/// Without octets it is the end.
struct Segment {
    at: When,
    octets: Bytes,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    At(Instant),
    /// Not before the cut is healed.
    Held,
}

/// What an operation came to.
pub(super) enum Look<T> {
    Done(T),
    /// Nothing yet; look again when woken, or then.
    Wait(Option<Instant>),
}

/// What a write needs to know of the network.
pub(super) struct Air<'a> {
    pub conditions: &'a Conditions,
    pub random: &'a mut fastrand::Rng,
    pub is_cut: bool,
}

impl Connection {
    pub fn new(hosts: [IpAddr; 2], latency: Duration) -> Self {
        Self { hosts, held: [true; 2], latency, incoming: Default::default(), lost: [None; 2] }
    }

    /// What that side sent and the other never got.
    pub fn unconfirmed(&self, side: usize, now: Instant) -> Option<Unconfirmed> {
        let (octets, since) = self.lost[1 - side]?;
        // TCP's timer: each wait is twice the one before (RFC 6298 section 5.5).
        let waits = now.duration_since(since).as_millis() / FIRST_WAIT.as_millis() + 1;
        Some(Unconfirmed { octets, repeats: waits.ilog2() })
    }

    /// What that side has read last it never got.
    pub fn lose(&mut self, side: usize, octets: usize, now: Instant) {
        let (lost, _) = self.lost[side].get_or_insert((0, now));
        *lost += octets as u64;
    }

    pub fn read(
        &mut self,
        side: usize,
        now: Instant,
        buffer: &mut [u8],
        wake: &mut Wake,
    ) -> Look<io::Result<usize>> {
        let pipe = &mut self.incoming[side];
        if pipe.is_reset(now) {
            return Look::Done(Err(io::ErrorKind::ConnectionReset.into()));
        }
        match pipe.segments.front_mut() {
            Some(first) if first.at <= When::At(now) => {
                let length = first.octets.len().min(buffer.len());
                first.octets.copy_to_slice(&mut buffer[..length]);
                pipe.octets -= length;
                if length > 0 && first.octets.is_empty() {
                    pipe.segments.pop_front();
                }
                wake.0.append(&mut pipe.writers);
                Look::Done(Ok(length))
            }
            _ => Look::Wait(pipe.next_event()),
        }
    }

    pub fn idle(&self, side: usize, now: Instant) -> Look<Idle> {
        let pipe = &self.incoming[side];
        if pipe.is_reset(now) {
            return Look::Done(Idle::Closed);
        }
        match pipe.segments.front() {
            Some(first) if first.at <= When::At(now) => {
                Look::Done(if first.octets.is_empty() { Idle::Closed } else { Idle::Octets })
            }
            _ => Look::Wait(pipe.next_event()),
        }
    }

    pub fn write(
        &mut self,
        side: usize,
        now: Instant,
        slices: &[IoSlice<'_>],
        air: Air<'_>,
        wake: &mut Wake,
    ) -> Look<io::Result<usize>> {
        if self.incoming[side].is_reset(now) {
            return Look::Done(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let pipe = &mut self.incoming[1 - side];
        if pipe.is_ended {
            return Look::Done(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = air.conditions.window.max(1).saturating_sub(pipe.octets);
        let wanted: usize = slices.iter().map(|slice| slice.len()).sum();
        let length = wanted.min(room);
        if wanted == 0 {
            return Look::Done(Ok(0));
        }
        if length == 0 {
            return Look::Wait(self.incoming[side].reset_at());
        }
        let is_lucky = air.conditions.reset_one_in.is_none_or(|n| air.random.u64(..n.max(1)) > 0);
        if !is_lucky {
            self.reset_after(self.latency, [true, true], now, air.is_cut, wake);
        } else if pipe.is_reader_gone {
            let mut learns = [false, false];
            learns[side] = true;
            self.reset_after(2 * self.latency, learns, now, air.is_cut, wake);
        } else {
            let at = arrival(pipe, now + self.latency, air.is_cut);
            let octets = gather(slices, length);
            pipe.octets += length;
            pipe.segments.extend(
                pieces(octets, air.conditions.piece_max, air.random)
                    .map(|octets| Segment { at, octets }),
            );
            wake.0.append(&mut pipe.readers);
        }
        Look::Done(Ok(length))
    }

    /// Half-close: no more octets from `side`.
    pub fn end(&mut self, side: usize, now: Instant, is_cut: bool, wake: &mut Wake) {
        let pipe = &mut self.incoming[1 - side];
        if !pipe.is_ended {
            pipe.is_ended = true;
            let at = arrival(pipe, now + self.latency, is_cut);
            pipe.segments.push_back(Segment { at, octets: Bytes::new() });
            wake.0.append(&mut pipe.readers);
        }
    }

    /// The stream is gone.
    pub fn close(&mut self, side: usize, now: Instant, is_cut: bool, wake: &mut Wake) {
        self.end(side, now, is_cut, wake);
        let pipe = &mut self.incoming[side];
        pipe.is_reader_gone = true;
        pipe.octets = 0;
        wake.0.append(&mut pipe.writers);
        let lost = pipe.segments.drain(..).find(|segment| !segment.octets.is_empty());
        let Some(lost) = lost else { return };
        // Unread or still to come: either way the other end hears of it one way after it is here.
        let met = match lost.at {
            When::At(at) => at.saturating_duration_since(now),
            When::Held => self.latency,
        };
        let mut learns = [false, false];
        learns[1 - side] = true;
        self.reset_after(met + self.latency, learns, now, is_cut, wake);
    }

    /// `side` breaks off: the other end hears of it one way later, whatever it has not read yet.
    pub fn reset(&mut self, side: usize, now: Instant, is_cut: bool, wake: &mut Wake) {
        let mut learns = [false, false];
        learns[1 - side] = true;
        self.reset_after(self.latency, learns, now, is_cut, wake);
    }

    pub fn reset_both(&mut self, now: Instant, wake: &mut Wake) {
        self.reset_after(Duration::ZERO, [true, true], now, false, wake);
    }

    /// A cut begins.
    pub fn hold(&mut self, now: Instant) {
        for pipe in &mut self.incoming {
            let ats = pipe.segments.iter_mut().map(|segment| &mut segment.at);
            for at in ats.chain(&mut pipe.reset).filter(|at| **at > When::At(now)) {
                *at = When::Held;
            }
        }
    }

    /// The cut is over.
    pub fn release(&mut self, now: Instant, wake: &mut Wake) {
        for pipe in &mut self.incoming {
            let ats = pipe.segments.iter_mut().map(|segment| &mut segment.at);
            for at in ats.chain(&mut pipe.reset).filter(|at| **at == When::Held) {
                *at = When::At(now + self.latency);
            }
            wake.0.append(&mut pipe.readers);
            wake.0.append(&mut pipe.writers);
        }
    }

    pub fn wait_to_read(&mut self, side: usize, waker: &Waker) {
        remember(&mut self.incoming[side].readers, waker);
    }

    pub fn wait_to_write(&mut self, side: usize, waker: &Waker) {
        remember(&mut self.incoming[1 - side].writers, waker);
    }

    fn reset_after(
        &mut self,
        wait: Duration,
        learns: [bool; 2],
        now: Instant,
        is_cut: bool,
        wake: &mut Wake,
    ) {
        let at = if is_cut { When::Held } else { When::At(now + wait) };
        for side in (0..2).filter(|side| learns[*side]) {
            let reset = &mut self.incoming[side].reset;
            *reset = Some(reset.map_or(at, |known| known.min(at)));
            wake.0.append(&mut self.incoming[side].readers);
            wake.0.append(&mut self.incoming[1 - side].writers);
        }
    }
}

impl Pipe {
    fn is_reset(&self, now: Instant) -> bool {
        self.reset.is_some_and(|at| at <= When::At(now))
    }

    fn reset_at(&self) -> Option<Instant> {
        self.reset.and_then(When::instant)
    }

    fn next_event(&self) -> Option<Instant> {
        let arrival = self.segments.front().and_then(|first| first.at.instant());
        arrival.into_iter().chain(self.reset_at()).min()
    }
}

impl When {
    fn instant(self) -> Option<Instant> {
        match self {
            Self::At(at) => Some(at),
            Self::Held => None,
        }
    }
}

/// Nothing overtakes what was sent before.
fn arrival(pipe: &Pipe, at: Instant, is_cut: bool) -> When {
    let own = if is_cut { When::Held } else { When::At(at) };
    pipe.segments.back().map_or(own, |last| last.at.max(own))
}

fn gather(slices: &[IoSlice<'_>], length: usize) -> Bytes {
    let mut octets = BytesMut::with_capacity(length);
    for slice in slices {
        let room = length - octets.len();
        octets.extend_from_slice(&slice[..slice.len().min(room)]);
    }
    octets.freeze()
}

/// Cuts at random; one write in eight very finely, for who trusts that a line comes whole.
fn pieces(
    mut octets: Bytes,
    piece_max: usize,
    random: &mut fastrand::Rng,
) -> impl Iterator<Item = Bytes> {
    let size_max = match piece_max {
        0 => usize::MAX,
        some if random.u8(..8) == 0 => some.min(7),
        some => some,
    };
    std::iter::from_fn(move || {
        if octets.is_empty() {
            return None;
        }
        let length = if size_max == usize::MAX { octets.len() } else { random.usize(1..=size_max) };
        Some(octets.split_to(length.min(octets.len())))
    })
}
