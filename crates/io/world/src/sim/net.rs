//! A network in memory: hosts by IP address, links with latency, and everything that goes wrong.
//!
//! It behaves as TCP does, as far as a mail program can notice:
//!
//! - Octets arrive in order, after the link's latency, in pieces cut at random; what was written before a
//!   close still arrives; a reset loses what is under way.
//! - A writer waits when the reader lets the window fill up.
//! - Closing with octets unread, or writing to who has closed, resets the connection.
//! - Nobody listens: refused after a round trip. The host is cut off, or there is none at that address:
//!   silence, until the caller's own time-out.
//! - A cut loses nothing by itself: what is under way arrives after the healing, as retransmissions would.
//!
//! One seed, one course of events. It needs a current-thread runtime with tokio's clock, paused or not.

mod link;
mod stream;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    future::poll_fn,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::programs::Programs;
use crate::{
    net::{Endpoint, Net},
    process::{Ended, Input, Program, RunError},
};
use link::Connection;
pub use stream::SimStream;

/// How long a SYN waits for an answer before it is sent again; TCP's own doubling is left out.
const SYN_AGAIN: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted; further ones hear nothing.
const BACKLOG: usize = 4096;
/// The first port that is given to who does not ask for one (RFC 6335 section 6).
const PORT_FIRST: u16 = 49_152;

/// How the network is. Changes concern what is written or connected after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Each link has a latency of its own in this range, one way.
    pub latency: RangeInclusive<Duration>,
    /// Octets under way or unread, in one direction of a connection.
    pub window: usize,
    /// No read sees more than this at once; 0 leaves writes whole.
    pub piece_max: usize,
    /// One write in so many resets its connection; `None`: never.
    pub reset_one_in: Option<u64>,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1)..=Duration::from_millis(100),
            window: 65_536,
            piece_max: 1_460,
            reset_one_in: None,
        }
    }
}

/// The network. Clones are the same one.
#[derive(Clone)]
pub struct SimNet(Arc<Mutex<Inner>>, pub(super) Programs);

/// What somebody who listens on the wire gets to see: the octets of one write.
#[derive(Debug)]
pub struct Heard<'a> {
    /// The connection, by a number that no other one has.
    pub connection: u64,
    /// Its ends, the connecting one first.
    pub ends: &'a [Endpoint; 2],
    /// Which of them wrote.
    pub side: usize,
    /// What, in order; it may never arrive.
    pub octets: &'a [u8],
}

/// Somebody who listens on all wires.
pub type Listens = Arc<dyn Fn(&Heard<'_>) + Send + Sync>;

/// The network as one host sees it: what [`Net::Sim`] holds.
#[derive(Clone)]
pub struct SimHost {
    net: SimNet,
    ip: IpAddr,
}

/// Where connections come in; gives the address free when dropped, and resets who was not accepted.
pub struct SimListener {
    net: SimNet,
    key: Key,
}

/// A host, and an address or a path on it.
type Key = (IpAddr, Endpoint);

struct Inner {
    random: fastrand::Rng,
    conditions: Conditions,
    /// Every address that is somebody's, and the host that it belongs to.
    addresses: BTreeMap<IpAddr, IpAddr>,
    cut_off: BTreeSet<IpAddr>,
    latencies: BTreeMap<(IpAddr, IpAddr), Duration>,
    listeners: BTreeMap<Key, Listening>,
    connections: BTreeMap<u64, Connection>,
    connection_next: u64,
    ports: BTreeMap<IpAddr, u16>,
    listens: Option<Listens>,
}

#[derive(Default)]
struct Listening {
    arrived: VecDeque<(u64, Arc<[Endpoint; 2]>)>,
    wakers: Vec<Waker>,
}

/// Who must look again after a change; woken when the lock is given back.
#[derive(Default)]
struct Wake(Vec<Waker>);

impl SimNet {
    /// A network without hosts, under the default [`Conditions`].
    pub fn new(seed: u64) -> Self {
        let inner = Mutex::new(Inner {
            random: fastrand::Rng::with_seed(seed),
            conditions: Conditions::default(),
            addresses: BTreeMap::new(),
            cut_off: BTreeSet::new(),
            latencies: BTreeMap::new(),
            listeners: BTreeMap::new(),
            connections: BTreeMap::new(),
            connection_next: 0,
            ports: BTreeMap::new(),
            listens: None,
        });
        Self(Arc::new(inner), Programs::default())
    }

    /// The network as seen from the host at `ip`, which is there from now on.
    pub fn host(&self, ip: IpAddr) -> Net {
        self.also(ip, ip);
        Net::Sim(SimHost { net: self.clone(), ip })
    }

    /// Gives a host one more address (an IPv6 one, say).
    pub fn also(&self, host: IpAddr, address: IpAddr) {
        self.change(|inner, _| inner.addresses.insert(address, host));
    }

    /// Changes how the network is.
    pub fn set_conditions(&self, conditions: Conditions) {
        self.change(|inner, _| {
            inner.latencies.clear();
            inner.conditions = conditions;
        });
    }

    /// Cuts a host off: nothing reaches it, and nothing that it sends reaches others. No end notices.
    pub fn cut(&self, host: IpAddr) {
        self.change(|inner, _| {
            inner.cut_off.insert(host);
            let now = Instant::now();
            let between = |connection: &&mut Connection| connection.hosts != [host, host];
            inner.connections_of(host).filter(between).for_each(|connection| connection.hold(now));
        });
    }

    /// Undoes a cut; what was under way arrives after the link's latency.
    pub fn heal(&self, host: IpAddr) {
        self.change(|inner, wake| {
            inner.cut_off.remove(&host);
            let now = Instant::now();
            let cut_off = inner.cut_off.clone();
            for connection in inner.connections_of(host) {
                if !connection.hosts.iter().any(|end| cut_off.contains(end)) {
                    connection.release(now, wake);
                }
            }
        });
    }

    /// Resets every connection of a host, at both ends and at once (`ECONNRESET`).
    pub fn reset(&self, host: IpAddr) {
        self.change(|inner, wake| {
            let now = Instant::now();
            inner.connections_of(host).for_each(|connection| connection.reset_both(now, wake));
        });
    }

    /// From now on somebody hears all that is written, on every connection.
    pub fn listen_in(&self, listens: Listens) {
        self.change(|inner, _| inner.listens = Some(listens));
    }

    /// Connections with at least one end still open.
    pub fn connections(&self) -> usize {
        self.change(|inner, _| inner.connections.len())
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner, &mut Wake) -> T) -> T {
        let mut wake = Wake::default();
        let result = {
            let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut inner, &mut wake)
        };
        // Only now: waking may drop what locks again.
        wake.0.into_iter().for_each(Waker::wake);
        result
    }
}

impl SimHost {
    /// Runs one of this host's programs.
    pub(crate) async fn run(
        &self,
        program: &Program,
        input: &mut dyn Input,
    ) -> Result<Ended, RunError> {
        self.net.1.run(self.ip, program, input).await
    }

    /// All addresses of this host; loopback not among them.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.net.change(|inner, _| {
            let own = inner.addresses.iter().filter(|(_, host)| **host == self.ip);
            own.map(|(address, _)| *address).collect()
        })
    }

    /// See [`Net::connect`]; the time-out is the caller's.
    pub(crate) async fn connect(
        &self,
        to: SocketAddr,
        source: Option<IpAddr>,
    ) -> io::Result<SimStream> {
        let source = self.source(to, source)?;
        let host = if to.ip().is_loopback() { Some(self.ip) } else { self.net.owner(to.ip()) };
        let Some(host) = host else { return std::future::pending().await };
        let any = SocketAddr::new(any_of(to.ip()), to.port());
        let keys = [(host, Endpoint::Ip(to)), (host, Endpoint::Ip(any))];
        let latency = self.net.change(|inner, _| inner.latency(self.ip, host));
        let ends = Arc::new([Endpoint::Ip(source), Endpoint::Ip(to)]);
        sleep(latency).await;
        let stream = loop {
            match self.net.change(|inner, wake| inner.open(self.ip, &keys, &ends, latency, wake)) {
                Opened::Connection(id) => break SimStream::new(self.net.clone(), id, 0, ends),
                Opened::Refused => {
                    sleep(latency).await;
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                Opened::Silence => sleep(SYN_AGAIN).await,
            }
        };
        sleep(latency).await;
        Ok(stream)
    }

    /// See [`Net::connect_unix`].
    pub(crate) fn connect_unix(&self, path: &Path) -> io::Result<SimStream> {
        let at = Endpoint::Unix(path.into());
        let keys = [(self.ip, at.clone())];
        let ends = Arc::new([at.clone(), at]);
        let net = &self.net;
        match net.change(|inner, wake| inner.open(self.ip, &keys, &ends, Duration::ZERO, wake)) {
            Opened::Connection(id) => Ok(SimStream::new(net.clone(), id, 0, ends)),
            Opened::Refused => Err(io::ErrorKind::ConnectionRefused.into()),
            Opened::Silence => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// See [`Net::listen`] and [`Net::listen_unix`].
    pub(crate) fn listen(&self, at: Endpoint) -> io::Result<SimListener> {
        let at = match at {
            Endpoint::Ip(address) => Endpoint::Ip(self.bindable(address)?),
            path => path,
        };
        let key = (self.ip, at);
        self.net.change(|inner, _| {
            if inner.listeners.contains_key(&key) {
                return Err(io::Error::from(io::ErrorKind::AddrInUse));
            }
            inner.listeners.insert(key.clone(), Listening::default());
            Ok(())
        })?;
        Ok(SimListener { net: self.net.clone(), key })
    }

    fn bindable(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        let ip = address.ip();
        if !(ip.is_unspecified() || self.is_own(ip)) {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        Ok(match address.port() {
            0 => SocketAddr::new(ip, self.net.change(|inner, _| inner.port(self.ip))),
            _ => address,
        })
    }

    /// Our end's address for a connection to `to`: the one asked for, else one of `to`'s family.
    fn source(&self, to: SocketAddr, source: Option<IpAddr>) -> io::Result<SocketAddr> {
        let ip = match source {
            Some(ip) if !self.is_own(ip) => return Err(io::ErrorKind::AddrNotAvailable.into()),
            Some(ip) => ip,
            None if to.ip().is_loopback() => to.ip(),
            None => std::iter::once(self.ip)
                .chain(self.addresses())
                .find(|own| own.is_ipv4() == to.is_ipv4())
                .ok_or(io::ErrorKind::NetworkUnreachable)?,
        };
        Ok(SocketAddr::new(ip, self.net.change(|inner, _| inner.port(self.ip))))
    }

    fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.net.owner(ip) == Some(self.ip)
    }
}

impl SimNet {
    fn owner(&self, address: IpAddr) -> Option<IpAddr> {
        self.change(|inner, _| inner.addresses.get(&address).copied())
    }
}

impl SimListener {
    /// The next connection. Cancel safe.
    pub(crate) async fn accept(&self) -> io::Result<SimStream> {
        let arrived: io::Result<_> = poll_fn(|cx| {
            self.net.change(|inner, _| match inner.listeners.get_mut(&self.key) {
                None => Poll::Ready(Err(io::ErrorKind::InvalidInput.into())),
                Some(listening) => match listening.arrived.pop_front() {
                    Some(first) => Poll::Ready(Ok(first)),
                    None => {
                        remember(&mut listening.wakers, cx.waker());
                        Poll::Pending
                    }
                },
            })
        })
        .await;
        let (id, ends) = arrived?;
        Ok(SimStream::new(self.net.clone(), id, 1, ends))
    }

    /// Where it listens.
    pub(crate) fn local(&self) -> Endpoint {
        self.key.1.clone()
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        self.net.change(|inner, wake| {
            let Some(listening) = inner.listeners.remove(&self.key) else { return };
            let now = Instant::now();
            for (id, _) in listening.arrived {
                if let Some(connection) = inner.connections.get_mut(&id) {
                    connection.reset_both(now, wake);
                    inner.forget(id, 1);
                }
            }
        });
    }
}

/// What a SYN met.
enum Opened {
    Connection(u64),
    Refused,
    Silence,
}

impl Inner {
    fn connections_of(&mut self, host: IpAddr) -> impl Iterator<Item = &mut Connection> {
        self.connections.values_mut().filter(move |connection| connection.hosts.contains(&host))
    }

    fn is_cut(&self, a: IpAddr, b: IpAddr) -> bool {
        a != b && (self.cut_off.contains(&a) || self.cut_off.contains(&b))
    }

    /// One way; the same both ways, and none within a host.
    fn latency(&mut self, a: IpAddr, b: IpAddr) -> Duration {
        if a == b {
            return Duration::ZERO;
        }
        let (low, high) = (self.conditions.latency.start(), self.conditions.latency.end());
        let micros = |duration: &Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let range = micros(low)..=micros(high).max(micros(low));
        let random = &mut self.random;
        let draw = || Duration::from_micros(random.u64(range));
        *self.latencies.entry((a.min(b), a.max(b))).or_insert_with(draw)
    }

    fn port(&mut self, host: IpAddr) -> u16 {
        let next = self.ports.entry(host).or_insert(PORT_FIRST);
        let port = *next;
        *next = port.checked_add(1).unwrap_or(PORT_FIRST);
        port
    }

    /// The SYN has arrived: opens a connection to the first of `keys` that somebody listens on.
    fn open(
        &mut self,
        from: IpAddr,
        keys: &[Key],
        ends: &Arc<[Endpoint; 2]>,
        latency: Duration,
        wake: &mut Wake,
    ) -> Opened {
        let Some(host) = keys.first().map(|key| key.0) else { return Opened::Refused };
        if self.is_cut(from, host) {
            return Opened::Silence;
        }
        let Some(key) = keys.iter().find(|key| self.listeners.contains_key(key)) else {
            return Opened::Refused;
        };
        let Some(listening) = self.listeners.get_mut(key) else { return Opened::Refused };
        if listening.arrived.len() >= BACKLOG {
            return Opened::Silence;
        }
        let id = self.connection_next;
        self.connection_next += 1;
        listening.arrived.push_back((id, Arc::clone(ends)));
        wake.0.append(&mut listening.wakers);
        self.connections.insert(id, Connection::new([from, host], latency));
        Opened::Connection(id)
    }

    /// One end is no longer held by anybody; with both gone, so is the connection.
    fn forget(&mut self, id: u64, side: usize) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.held[side] = false;
            if connection.held == [false, false] {
                self.connections.remove(&id);
            }
        }
    }
}

fn any_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn remember(wakers: &mut Vec<Waker>, waker: &Waker) {
    if !wakers.iter().any(|known| known.will_wake(waker)) {
        wakers.push(waker.clone());
    }
}

impl fmt::Debug for SimListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimListener({} on {})", self.key.1, self.key.0)
    }
}

#[cfg(test)]
mod tests;
