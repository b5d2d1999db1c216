//! The beginning of a connection, kept until it is known whether it is mail, who is the client, and in the
//! midst of what the capture begins.

use diagnose::session::{Event, Party};

use super::{
    content::{Content, Scan},
    dialogue::{Dialogue, Wrapping},
    held::Stamp,
    protocol::{self, BEGINNING_MAX, Beginning},
    server::code_of,
    state::{Client, Then},
    tunnel::{self, Tunnel},
    verb,
};
use crate::keys::KeyLog;

/// Something that came while it was not known what it is.
#[derive(Clone, Debug)]
enum Came {
    Octets(Vec<u8>),
    Gap(u64),
    Event(Event, String),
}

/// What has come so far, and what it seems to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Sniff {
    came: Vec<(Stamp, Party, Came)>,
    /// Both sides' first octets; a gap ends them.
    client: Vec<u8>,
    server: Vec<u8>,
    /// The SYN was seen: roles are certain.
    connected: bool,
    had_gap: bool,
    /// The server's port is one of mail, or the client's, where the roles are a guess.
    mail_port: bool,
    other_mail_port: bool,
    length: usize,
    /// Lines of the client and of the server.
    lines: [usize; 2],
    tunnels: Vec<(Stamp, String)>,
}

/// What it turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Undecided,
    Other,
    /// Mail; whether the roles are the other way round.
    Mail {
        swapped: bool,
    },
    Tunnel {
        client: usize,
        server: usize,
        what: String,
    },
}

/// Octets that are kept of both sides, whatever they are.
const KEPT_MAX: usize = 4 * BEGINNING_MAX;
/// Behind so many octets of a side it is looked what it is, though no line has ended.
const STOPS: [usize; 7] = [3, 6, 12, 24, 64, 512, BEGINNING_MAX];
/// Behind each of so many lines of a side it is looked what it is.
const FIRST_LINES: usize = 16;
/// What one of many small pieces costs.
const PIECE_COST: usize = 64;

impl Sniff {
    /// The ports of who is the server, and of who may be.
    pub fn new(server_port: Option<u16>, client_port: Option<u16>) -> Self {
        let is_mail = |port: Option<u16>| port.is_some_and(protocol::is_mail_port);
        Self {
            mail_port: is_mail(server_port),
            other_mail_port: is_mail(client_port),
            ..Self::default()
        }
    }

    pub fn memory(&self) -> usize {
        self.length + self.client.len() + self.server.len()
    }

    /// Takes octets up to where it may be told more than before; gives how many, and whether it may.
    ///
    /// That is behind each of the first lines, then ever more seldom, and at some places in the first octets,
    /// where protocols without lines show themselves. So pieces make no difference, and looking is cheap.
    pub fn octets(&mut self, stamp: Stamp, by: Party, octets: &[u8]) -> (usize, bool) {
        let is_server = by == Party::Server;
        let beginning = if is_server { &mut self.server } else { &mut self.client };
        let lines = &mut self.lines[usize::from(is_server)];
        let start = beginning.len();
        let stop = STOPS.into_iter().find(|&stop| stop > start);
        let mut used = stop.map_or(octets.len(), |stop| octets.len().min(stop - start));
        let mut tells = stop.is_none_or(|stop| start + used == stop);
        if let Some(end) = memchr::memchr(b'\n', &octets[..used]) {
            used = end + 1;
            *lines += 1;
            tells |= *lines <= FIRST_LINES || lines.is_power_of_two();
        }
        if !self.had_gap {
            let room = BEGINNING_MAX - start;
            beginning.extend_from_slice(&octets[..used.min(room)]);
        }
        self.keep(stamp, by, &octets[..used]);
        (used, tells)
    }

    fn keep(&mut self, stamp: Stamp, by: Party, octets: &[u8]) {
        if let Some((last, last_by, Came::Octets(text))) = self.came.last_mut()
            && (last.packet, *last_by) == (stamp.packet, by)
        {
            self.length += octets.len();
            return text.extend_from_slice(octets);
        }
        self.push(stamp, by, Came::Octets(octets.to_vec()), octets.len());
    }

    pub fn gap(&mut self, stamp: Stamp, by: Party, octets: u64) {
        self.had_gap = true;
        self.push(stamp, by, Came::Gap(octets), 0);
    }

    pub fn event(&mut self, stamp: Stamp, by: Party, event: Event, text: &str) {
        self.connected |= event == Event::Connected;
        self.push(stamp, by, Came::Event(event, text.to_owned()), text.len());
    }

    fn push(&mut self, stamp: Stamp, by: Party, came: Came, length: usize) {
        self.length += PIECE_COST + length;
        self.came.push((stamp, by, came));
    }

    /// What it is, as far as it can be told by now.
    pub fn verdict(&self, last: bool) -> Verdict {
        let last = last || self.length > KEPT_MAX || self.had_gap;
        let from_start = self.connected && !self.had_gap;
        if from_start {
            match tunnel::find(&self.client, &self.server) {
                Tunnel::Through { client, server, what } => {
                    return Verdict::Tunnel { client, server, what };
                }
                Tunnel::NotYet if !last => return Verdict::Undecided,
                _ => {}
            }
        }
        let swapped = !self.connected && protocol::is_swapped(&self.client, &self.server);
        let (mut client, mut server) = (&self.client[..], &self.server[..]);
        let mut mail_port = self.mail_port;
        if swapped {
            (client, server) = (server, client);
            mail_port = self.other_mail_port;
        }
        let mail_port = mail_port || !self.connected && self.mail_port;
        let beginning = Beginning { client, server, from_start, mail_port, last };
        match protocol::is_mail(beginning) {
            Some(true) if from_start || last || self.midst_is_clear() => Verdict::Mail { swapped },
            Some(false) => Verdict::Other,
            _ => Verdict::Undecided,
        }
    }

    /// Whether it can be told in the midst of what the capture begins.
    fn midst_is_clear(&self) -> bool {
        let commands = |text: &[u8]| protocol::whole_lines(text).any(verb::looks_like_command);
        let greets =
            |text: &[u8]| text.starts_with(b"220") && memchr::memchr(b'\n', text).is_some();
        let clear = |text: &[u8]| commands(text) || greets(text) || protocol::is_tls(text);
        let lines = |text: &[u8]| memchr::memchr(b'\n', text).is_some();
        lines(&self.client) && lines(&self.server) || clear(&self.client) || clear(&self.server)
    }

    /// Forgets a tunnel's octets.
    pub fn strip(&mut self, client: usize, server: usize, what: String) {
        let mut left = [client, server];
        let mut stamp = Stamp::default();
        for (at, by, came) in &mut self.came {
            let left = &mut left[usize::from(*by == Party::Server)];
            if let Came::Octets(octets) = came
                && *left > 0
            {
                let length = octets.len().min(*left);
                octets.drain(..length);
                *left -= length;
                stamp = *at;
            }
        }
        self.tunnels.push((stamp, what));
        self.client.clear();
        self.server.clear();
        for (_, by, came) in &self.came {
            if let Came::Octets(octets) = came {
                let beginning =
                    if *by == Party::Server { &mut self.server } else { &mut self.client };
                let room = BEGINNING_MAX - beginning.len();
                beginning.extend_from_slice(&octets[..octets.len().min(room)]);
            }
        }
    }

    /// The dialogue, with all that has come.
    pub fn begin(self, swapped: bool, keys: &KeyLog) -> Dialogue {
        let from_start = self.connected && !self.had_gap;
        let greeted = from_start || self.server.starts_with(b"220") && !swapped;
        let mut dialogue = Dialogue::new(greeted || swapped && self.client.starts_with(b"220"));
        let is_refused = |(_, _, came): &(Stamp, Party, Came)| {
            matches!(came, Came::Event(Event::NotConnected, _))
        };
        if !self.connected && !self.came.iter().any(is_refused) {
            self.place_midway(&mut dialogue, swapped);
        }
        for (stamp, what) in &self.tunnels {
            dialogue.record.remark(*stamp, what);
        }
        for (stamp, by, came) in self.came {
            let by = role(by, swapped);
            match came {
                Came::Octets(octets) => dialogue.octets(stamp, by, &octets, keys),
                Came::Gap(octets) => dialogue.gap(stamp, by, octets),
                Came::Event(event, text) => dialogue.event(stamp, by, event, &text),
            }
        }
        dialogue
    }

    /// The capture begins in the midst of a session: of what?
    fn place_midway(&self, dialogue: &mut Dialogue, swapped: bool) {
        let (mut client, mut server) = (&self.client[..], &self.server[..]);
        if swapped {
            (client, server) = (server, client);
        }
        let stamp = self.came.first().map(|(stamp, ..)| *stamp).unwrap_or_default();
        dialogue.client.unsure = true;
        let code = protocol::whole_lines(server).find_map(code_of).map(|(code, _)| code);
        let content = || Box::new(Content::new(stamp, Scan::within()));
        if protocol::is_tls(client) {
            // The line's reader sees it.
        } else if protocol::is_binary(client) {
            dialogue.client.wrapping = Wrapping::Opaque;
        } else if code != Some(220) && !client.is_empty() {
            dialogue.client.state = match code {
                Some(354) => Client::Content(Client::content(stamp)),
                Some(334 | 235 | 535 | 454 | 504) => Client::Lines,
                _ if protocol::whole_lines(client).any(verb::looks_like_command) => Client::Lines,
                _ => Client::Peek(Then::Midway(content())),
            };
        }
        if protocol::is_binary(server) && !protocol::is_tls(server) {
            dialogue.server.wrapping = Wrapping::Opaque;
        }
        if code != Some(220) {
            dialogue.record.remark(stamp, "the evidence begins within the session");
        }
    }
}

/// Who it was, given that the roles may be the other way round than it was thought.
pub(super) fn role(by: Party, swapped: bool) -> Party {
    match (by, swapped) {
        (Party::Client, true) => Party::Server,
        (Party::Server, true) => Party::Client,
        _ => by,
    }
}
