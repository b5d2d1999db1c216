//! All connections of a capture: which one a segment belongs to, when one is over, and what is given up
//! when too many go on at once.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::{
    CLIENT, End, Listener, Moment, SERVER,
    connection::{Connection, Effect},
};
use crate::{
    decode::{Report, Segment},
    follow::is_mail_port,
    keys::KeyLog,
    limits::Limits,
    problem::Trouble,
};

/// Nanoseconds for which a connection that is over, or no mail, is remembered after its last packet.
const REMEMBERED: i64 = 120_000_000_000;

/// Nanoseconds without a packet after which a session is looked at while it goes on, and once more when it
/// may be called silent.
const PAUSE: i64 = 1_000_000_000;
const SILENT: i64 = 61_000_000_000;
/// Sessions looked at in one go: each is copied.
const LOOKED_MAX: usize = 256;

/// Octets that a followed connection takes besides what it counts itself: a slot, its place, its times, and what
/// its small allocations come to (4.8 KB for a connection with a greeting and no more, measured).
const SLOT: usize = 3_400;

/// Address and port of both ends, the lower first.
type Name = ((u128, u16), (u128, u16));

pub(crate) struct Table<L: Listener> {
    limits: Limits,
    /// Only ever looked up, never gone through: its order is nobody's.
    places: HashMap<Name, u32, ahash::RandomState>,
    slots: Vec<Slot<L>>,
    free: Vec<u32>,
    /// When to look at open connections again, and at those that are remembered.
    due_open: Due,
    due_remembered: Due,
    /// Open connections with the time of a packet of theirs, the longest silent about first.
    silent: Due,
    memory: usize,
    /// Connections followed, and connections only remembered.
    open: usize,
    remembered: usize,
    sessions: Vec<L::Outcome>,
    /// The capture's newest time.
    now: i64,
}

/// Times, places and the places' usage, which tells whether it still is the same connection.
type Due = BinaryHeap<Reverse<(i64, u32, u32)>>;

struct Slot<L> {
    name: Name,
    /// How many connections it was used for.
    usage: u32,
    state: State<L>,
    /// What it counts for in [`Table::memory`].
    memory: usize,
    /// Whether the lower end of its name is the client.
    is_low_client: bool,
    /// Its newest packet when it was looked at, and whether it had been silent for long by then.
    looked: (u64, bool),
}

enum State<L> {
    Free,
    Open(Box<Connection<L>>),
    /// Over, or no mail: packets are ignored until a new SYN. With the newest packet's time.
    Remembered(i64),
}

fn name(segment_source: (u128, u16), segment_destination: (u128, u16)) -> Name {
    if segment_source <= segment_destination {
        (segment_source, segment_destination)
    } else {
        (segment_destination, segment_source)
    }
}

impl<L: Listener> Table<L> {
    pub fn new(limits: Limits) -> Self {
        let seed = limits.seed;
        Self {
            limits,
            places: HashMap::with_hasher(ahash::RandomState::with_seeds(seed, !seed, 25, 587)),
            slots: Vec::new(),
            free: Vec::new(),
            due_open: Due::new(),
            due_remembered: Due::new(),
            silent: Due::new(),
            memory: 0,
            open: 0,
            remembered: 0,
            sessions: Vec::new(),
            now: 0,
        }
    }

    /// Takes a segment; gives back what there is to tell of it.
    pub fn segment(
        &mut self,
        segment: &Segment<'_>,
        moment: Moment,
        keys: &KeyLog,
    ) -> Option<Trouble> {
        let name = name(segment.source, segment.destination);
        let mut place = self.places.get(&name).copied();
        if let Some(known) = place
            && !self.belongs(known, segment, moment)
        {
            self.end(known, "the same ports were used for another connection", keys);
            self.forget(known);
            place = None;
        }
        let place = match place {
            Some(place) => place,
            None => self.open(name, segment, moment)?,
        };
        let effect = self.pass_on(place, segment, moment, keys);
        let given_up = self.make_room(keys);
        match effect {
            _ if given_up => Some(Trouble::TooMany),
            Effect { is_too_much: true, .. } => Some(Trouble::TooMuchWaiting),
            Effect { is_twice: true, .. } => Some(Trouble::Twice),
            Effect { .. } => None,
        }
    }

    /// Whether a segment is of the connection in that place, and not of a new one with its ports.
    fn belongs(&self, place: u32, segment: &Segment<'_>, moment: Moment) -> bool {
        let slot = &self.slots[place as usize];
        match &slot.state {
            State::Free => false,
            State::Open(connection) => {
                !segment.flags.syn() || segment.flags.rst() || {
                    connection.is_own_syn(slot.end_of(segment.source), segment)
                }
            }
            State::Remembered(last) => {
                let is_first = segment.flags.syn() && !segment.flags.ack();
                !is_first && moment.at.saturating_sub(*last) < REMEMBERED
            }
        }
    }

    /// A new connection. A RST alone is none: it answers something that is not here.
    fn open(&mut self, name: Name, segment: &Segment<'_>, moment: Moment) -> Option<u32> {
        let flags = segment.flags;
        if flags.rst() {
            return None;
        }
        let (source, destination) = (segment.source, segment.destination);
        let is_from_client = match (flags.syn(), flags.ack()) {
            (true, is_answer) => !is_answer,
            (false, _) => is_server_port(destination.1, source.1),
        };
        let (client, server) =
            if is_from_client { (source, destination) } else { (destination, source) };
        let connection = Box::new(Connection::new(client, server, moment));
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                name,
                usage: 0,
                state: State::Free,
                memory: 0,
                is_low_client: false,
                looked: (0, false),
            });
            (self.slots.len() - 1) as u32
        });
        let due = connection.deadline(&self.limits);
        let slot = &mut self.slots[place as usize];
        slot.name = name;
        slot.is_low_client = client == name.0;
        slot.looked = (0, false);
        slot.state = State::Open(connection);
        self.due_open.push(Reverse((due, place, slot.usage)));
        self.silent.push(Reverse((moment.at, place, slot.usage)));
        self.places.insert(name, place);
        self.open += 1;
        Some(place)
    }

    fn pass_on(
        &mut self,
        place: u32,
        segment: &Segment<'_>,
        moment: Moment,
        keys: &KeyLog,
    ) -> Effect {
        let slot = &mut self.slots[place as usize];
        let end = slot.end_of(segment.source);
        let connection = match &mut slot.state {
            State::Open(connection) => connection,
            State::Remembered(last) => {
                *last = moment.at;
                return Effect::default();
            }
            State::Free => return Effect::default(),
        };
        let before = connection.deadline(&self.limits);
        let effect = connection.segment(end, segment, moment, keys, &self.limits);
        if connection.is_other() {
            self.remember(place);
            return effect;
        }
        let memory = SLOT + connection.memory();
        self.memory = self.memory + memory - std::mem::replace(&mut slot.memory, memory);
        // A later time is noticed when the earlier one has come; an earlier one has to be said.
        let after = connection.deadline(&self.limits);
        if after < before {
            self.due_open.push(Reverse((after, place, slot.usage)));
        }
        effect
    }

    /// An ICMP error.
    pub fn report(&mut self, report: &Report, moment: Moment) {
        let name = name(report.source, report.destination);
        let Some(place) = self.places.get(&name) else { return };
        if let State::Open(connection) = &mut self.slots[*place as usize].state {
            connection.report(report, moment);
        }
    }

    /// The capture's time has come to `now`: ends what has been silent for too long.
    pub fn advance(&mut self, now: i64, keys: &KeyLog) {
        self.now = now;
        while self.due_open.peek().is_some_and(|Reverse((due, ..))| *due < now) {
            self.end_due("nothing more was seen", keys);
        }
        while self.due_remembered.peek().is_some_and(|Reverse((due, ..))| *due < now) {
            self.forget_first();
        }
    }

    /// Ends the open connection that is due first, unless its time turns out to be another one.
    fn end_due(&mut self, why: &str, keys: &KeyLog) {
        let Some(Reverse((due, place, usage))) = self.due_open.pop() else { return };
        let Some(connection) = self.in_use(place, usage) else { return };
        let real = connection.deadline(&self.limits);
        if real > due {
            self.due_open.push(Reverse((real, place, usage)));
        } else {
            self.end(place, why, keys);
        }
    }

    /// The open connection of that use of a place.
    fn in_use(&self, place: u32, usage: u32) -> Option<&Connection<L>> {
        let slot = &self.slots[place as usize];
        match &slot.state {
            State::Open(connection) if slot.usage == usage => Some(connection),
            _ => None,
        }
    }

    /// Ends the open connection that was silent for longest.
    fn end_silent(&mut self, why: &str, keys: &KeyLog) {
        while let Some(Reverse((noted, place, usage))) = self.silent.pop() {
            match self.in_use(place, usage).map(|connection| connection.last.at) {
                Some(last) if last > noted => self.silent.push(Reverse((last, place, usage))),
                Some(_) => return self.end(place, why, keys),
                None => {}
            }
        }
    }

    /// Forgets the remembered connection that is due first, unless its time turns out to be another one.
    fn forget_first(&mut self) {
        let Some(Reverse((due, place, usage))) = self.due_remembered.pop() else { return };
        let slot = &self.slots[place as usize];
        let State::Remembered(last) = slot.state else { return };
        let real = last.saturating_add(REMEMBERED);
        if slot.usage == usage && real > due {
            self.due_remembered.push(Reverse((real, place, usage)));
        } else if slot.usage == usage {
            self.forget(place);
        }
    }

    /// Gives up what is due first while there is too much of anything.
    fn make_room(&mut self, keys: &KeyLog) -> bool {
        let mut given_up = false;
        while self.open > 0
            && (self.memory > self.limits.memory_max || self.open > self.limits.connections_max)
        {
            let why = "given up: more connections went on at once than fit into memory";
            self.end_silent(why, keys);
            given_up = true;
        }
        while self.remembered > self.limits.forgotten_max {
            self.forget_first();
        }
        given_up
    }

    /// Times of connections that ended earlier than expected pile up; they are left out now and then.
    fn tidy(&mut self) {
        const FEW: usize = 1_024;
        if self.due_open.len() > FEW + 4 * self.open {
            let slots = &self.slots;
            self.due_open
                .retain(|Reverse((_, place, usage))| slots[*place as usize].usage == *usage);
        }
        if self.silent.len() > FEW + 4 * self.open {
            let slots = &self.slots;
            self.silent.retain(|Reverse((_, place, usage))| slots[*place as usize].usage == *usage);
        }
        if self.due_remembered.len() > FEW + 4 * self.remembered {
            let slots = &self.slots;
            self.due_remembered
                .retain(|Reverse((_, place, usage))| slots[*place as usize].usage == *usage);
        }
    }

    /// Ends an open connection; late packets of it are still known.
    fn end(&mut self, place: u32, why: &str, keys: &KeyLog) {
        let slot = &mut self.slots[place as usize];
        if let State::Open(connection) = std::mem::replace(&mut slot.state, State::Free) {
            let last = connection.last.at;
            let session = connection.finish(why, self.now, keys);
            self.sessions.extend(session);
            slot.state = State::Remembered(last);
            self.closed(place, last);
        }
    }

    /// An open connection is no mail.
    fn remember(&mut self, place: u32) {
        let slot = &mut self.slots[place as usize];
        if let State::Open(connection) = &slot.state {
            let last = connection.last.at;
            slot.state = State::Remembered(last);
            self.closed(place, last);
        }
    }

    fn closed(&mut self, place: u32, last: i64) {
        let slot = &mut self.slots[place as usize];
        slot.usage = slot.usage.wrapping_add(1);
        let usage = slot.usage;
        self.memory -= std::mem::take(&mut slot.memory);
        self.open -= 1;
        self.remembered += 1;
        self.tidy();
        self.due_remembered.push(Reverse((last.saturating_add(REMEMBERED), place, usage)));
    }

    /// A slot is free for another connection.
    fn forget(&mut self, place: u32) {
        let slot = &mut self.slots[place as usize];
        slot.usage = slot.usage.wrapping_add(1);
        slot.state = State::Free;
        self.remembered -= 1;
        self.places.remove(&slot.name);
        self.free.push(place);
    }

    /// Sessions that ended since this was last called, in the order of their end.
    pub fn take_sessions(&mut self) -> Vec<L::Outcome> {
        std::mem::take(&mut self.sessions)
    }

    /// Sessions that go on, as far as they have come: those that paused or fell silent since they were looked
    /// at. Half of a line or a reply is not worth a look, so nothing that packets are coming of is among them.
    pub fn going_on(&mut self, keys: &KeyLog) -> Vec<L::Outcome> {
        let mut sessions = Vec::new();
        for slot in &mut self.slots {
            let State::Open(connection) = &slot.state else { continue };
            let silent = self.now.saturating_sub(connection.last.at);
            let look = (connection.last.packet, silent >= SILENT);
            if silent < PAUSE || look == slot.looked {
                continue;
            }
            slot.looked = look;
            sessions.extend(connection.so_far(self.now, keys));
            if sessions.len() == LOOKED_MAX {
                break;
            }
        }
        sessions
    }

    /// Connections that are followed.
    pub fn open_connections(&self) -> usize {
        self.open
    }

    /// Octets of memory that connections hold, roughly.
    pub fn memory(&self) -> usize {
        self.memory
    }

    /// The capture ends: so do all connections, in the order of their beginning.
    pub fn finish(&mut self, keys: &KeyLog) {
        let mut open: Vec<(u64, u32)> = Vec::new();
        for (place, slot) in self.slots.iter().enumerate() {
            if let State::Open(connection) = &slot.state {
                open.push((connection.first, place as u32));
            }
        }
        open.sort_unstable();
        for (_, place) in open {
            self.end(place, "the capture ends here", keys);
        }
    }
}

impl<L> Slot<L> {
    fn end_of(&self, source: (u128, u16)) -> End {
        if (source == self.name.0) == self.is_low_client { CLIENT } else { SERVER }
    }
}

/// Whether the first port rather than the second is a server's.
fn is_server_port(first: u16, second: u16) -> bool {
    match (is_mail_port(first), is_mail_port(second)) {
        (true, false) => true,
        (false, true) => false,
        _ => first < second,
    }
}
