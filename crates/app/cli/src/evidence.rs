//! Opening evidence of any kind: what a file, standard input or the running server has becomes items of
//! the one vocabulary.
//!
//! What it is shows in its first octets: a capture by its magic number; else it is text: a log, which is
//! read as it comes, or a dialogue that somebody wrote down. What gzip packed, as log rotation does, is read
//! as what it holds.

mod live;
mod own;

use std::{
    fs::File,
    io::{self, Cursor, IsTerminal, Read},
    path::{Path, PathBuf},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use capture::{Analysis, Limits, foreign};
use diagnose::{
    Happening, Session, Testimony,
    dialects::{log, transcript},
};
use flate2::read::MultiGzDecoder;

use crate::{output, problem::Problem};

/// How much is read at once.
const CHUNK: usize = 1 << 20;
/// The same from a live source: the sessions of one piece should be few.
const LIVE_CHUNK: usize = 256 << 10;
/// A dialogue that somebody wrote down is not longer than this; a longer text is a log or nothing.
const PASTED_MAX: usize = 8 << 20;
/// How gzip begins, with the only method it has (RFC 1952, 2.3.1).
const GZIP: &[u8] = b"\x1f\x8b\x08";

/// One thing that evidence tells.
#[allow(clippy::large_enum_variant, reason = "one at a time")]
pub enum Item {
    /// A dialogue.
    Session(Session),
    /// A dialogue that goes on, as far as it has come; only a live capture has any.
    GoingOn(Session),
    /// One recipient's fate.
    Testimony(Testimony),
    /// What happened to a connection.
    Happening(Happening),
}

/// What was read.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Opened {
    /// The file's name, or what else it came from.
    pub name: String,
    /// `capture`, `log`, `dialogue`, `our own evidence`, or `nothing`.
    pub kind: &'static str,
    /// How many octets.
    pub octets: u64,
    /// What was not as it should be: a sentence each.
    pub problems: Vec<String>,
}

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// A TLS key log file (`SSLKEYLOGFILE`) for captures.
    pub key_log: Option<PathBuf>,
    /// The running server's place, for `queue:` evidence.
    pub place: crate::server::Place,
    /// No progress on the terminal.
    pub quiet: bool,
}

/// Where items go, as soon as they are known.
pub type Sink<'a> = &'a mut dyn FnMut(Item) -> Result<(), Problem>;

/// Reads `name`: a file, `-` for standard input, or `queue:ID` for what the running server has on a message.
pub fn read(name: &str, reading: &Reading, sink: Sink<'_>) -> Result<Opened, Problem> {
    if let Some(subject) = name.strip_prefix("queue:") {
        return own::ask(subject, &reading.place, sink);
    }
    if name == "-" {
        return Input::standard().read(reading, sink);
    }
    Input::open(Path::new(name))?.read(reading, sink)
}

struct Input {
    name: String,
    from: Box<dyn Read + Send>,
    /// Somebody else writes it at the same time: what comes late may be all there is for a while.
    is_live: bool,
    /// Octets in all, where that is known.
    length: Option<u64>,
    /// The newest time that the evidence can have, in microseconds since 1970.
    latest: Option<i64>,
    /// Why what was packed could not be unpacked to its end.
    damage: Option<String>,
    started: Instant,
}

impl Input {
    fn standard() -> Self {
        Self {
            name: "standard input".to_owned(),
            from: Box::new(std::io::stdin()),
            is_live: true,
            length: None,
            latest: microseconds(SystemTime::now()),
            damage: None,
            started: Instant::now(),
        }
    }

    fn open(path: &Path) -> Result<Self, Problem> {
        let cannot = |error: std::io::Error| {
            Problem::new(format!("cannot read `{}`: {error}", path.display()))
        };
        let file = File::open(path).map_err(cannot)?;
        let facts = file.metadata().map_err(cannot)?;
        if facts.is_dir() {
            return Err(Problem::new(format!("`{}` is a folder; name its files", path.display())));
        }
        Ok(Self {
            name: path.display().to_string(),
            from: Box::new(file),
            is_live: !facts.is_file(),
            length: facts.is_file().then_some(facts.len()),
            latest: facts.modified().ok().and_then(microseconds),
            damage: None,
            started: Instant::now(),
        })
    }

    fn read(mut self, reading: &Reading, sink: Sink<'_>) -> Result<Opened, Problem> {
        let mut buffer = vec![0; CHUNK];
        let mut filled = self.begin(&mut buffer)?;
        if buffer[..filled].starts_with(GZIP) {
            self = self.unpacked(buffer[..filled].to_vec());
            filled = self.begin(&mut buffer)?;
        }
        let head = &buffer[..filled];
        if capture::is_capture(head) {
            return self.capture(buffer, filled, reading, sink);
        }
        if let Some(format) = foreign(head) {
            let problem =
                format!("this is {format}, which is not read here: unpack or convert it first");
            let (octets, problems) = (filled as u64, vec![problem]);
            return Ok(Opened { name: self.name, kind: "nothing", octets, problems });
        }
        self.text(buffer, filled, reading, sink)
    }

    /// Reads enough to know it by, without waiting for more where a live source is slow.
    fn begin(&mut self, buffer: &mut [u8]) -> Result<usize, Problem> {
        let mut filled = 0;
        while filled < 4 {
            match self.fill(&mut buffer[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// What gzip packed: `head` is what was read of it.
    fn unpacked(self, head: Vec<u8>) -> Self {
        let packed = Cursor::new(head).chain(self.from);
        let from = Box::new(MultiGzDecoder::new(packed));
        Self { from, is_live: false, length: None, ..self }
    }

    fn capture(
        mut self,
        mut buffer: Vec<u8>,
        mut filled: usize,
        reading: &Reading,
        sink: Sink<'_>,
    ) -> Result<Opened, Problem> {
        let mut analysis = Analysis::new(Limits { seed: seed(), ..Limits::default() });
        if let Some(path) = &reading.key_log {
            let keys = std::fs::read(path).map_err(|error| {
                Problem::new(format!("cannot read `{}`: {error}", path.display()))
            })?;
            analysis.key_log(&keys);
        }
        if self.is_live {
            return live::capture(self, analysis, buffer, filled, reading, sink);
        }
        let mut progress = Progress::new(&self, reading);
        let mut octets = 0;
        while filled > 0 {
            analysis.feed(&buffer[..filled]);
            octets += filled as u64;
            progress.show(octets);
            for session in analysis.sessions() {
                sink(Item::Session(session))?;
            }
            filled = self.fill(&mut buffer)?;
        }
        progress.clear();
        self.captured(analysis, octets, sink)
    }

    /// A capture's end: all that is left of it.
    fn captured(
        self,
        mut analysis: Analysis,
        octets: u64,
        sink: Sink<'_>,
    ) -> Result<Opened, Problem> {
        analysis.finish();
        for session in analysis.sessions() {
            sink(Item::Session(session))?;
        }
        let problems = analysis.problems().iter().map(ToString::to_string).chain(self.damage);
        Ok(Opened { name: self.name, kind: "capture", octets, problems: problems.collect() })
    }

    fn text(
        mut self,
        mut buffer: Vec<u8>,
        mut filled: usize,
        reading: &Reading,
        sink: Sink<'_>,
    ) -> Result<Opened, Problem> {
        let mut log = log::Reader::new(self.latest);
        let mut progress = Progress::new(&self, reading);
        let mut whole: Vec<u8> = Vec::new();
        let (mut octets, mut count) = (0, 0_u64);
        while filled > 0 {
            octets += filled as u64;
            if octets <= PASTED_MAX as u64 {
                whole.extend_from_slice(&buffer[..filled]);
            }
            log.feed(&buffer[..filled]);
            progress.show(octets);
            count += hand_over(&mut log, sink)?;
            filled = self.fill(&mut buffer)?;
        }
        log.finish();
        count += hand_over(&mut log, sink)?;
        progress.clear();
        let problems = self.damage.take().into_iter().collect();
        let mut opened = Opened { name: self.name, kind: "log", octets, problems };
        if count > 0 || octets > PASTED_MAX as u64 {
            return Ok(opened);
        }
        if let Some(sessions) = own::sessions(&whole).or_else(|| transcript::read(&whole)) {
            opened.kind = "dialogue";
            for session in sessions {
                sink(Item::Session(session))?;
            }
        } else {
            opened.kind = "nothing";
            let problem =
                "neither a capture nor a log nor a dialogue: nothing in it was recognised";
            opened.problems.push(problem.to_owned());
        }
        Ok(opened)
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Problem> {
        loop {
            match self.from.read(buffer) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_damage(&error) => {
                    let damage = format!("what was packed ends or is damaged here: {error}");
                    self.damage = Some(damage);
                    return Ok(0);
                }
                Err(error) => {
                    return Err(Problem::new(format!("cannot read {}: {error}", self.name)));
                }
            }
        }
    }
}

/// Whether it is the packed octets' fault and not the disk's: what came before it still counts.
fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

fn hand_over(log: &mut log::Reader, sink: Sink<'_>) -> Result<u64, Problem> {
    let mut count = 0;
    while let Some(record) = log.take() {
        count += 1;
        sink(match record {
            log::Record::Session(session) => Item::Session(session),
            log::Record::Testimony(testimony) => Item::Testimony(testimony),
            log::Record::Happening(happening) => Item::Happening(happening),
        })?;
    }
    Ok(count)
}

/// How far it is, on the terminal, for what takes longer than a moment.
struct Progress {
    length: Option<u64>,
    started: Instant,
    shown: Option<Instant>,
    is_wanted: bool,
}

impl Progress {
    fn new(input: &Input, reading: &Reading) -> Self {
        let is_wanted = !reading.quiet && std::io::stderr().is_terminal();
        Self { length: input.length, started: input.started, shown: None, is_wanted }
    }

    fn show(&mut self, octets: u64) {
        let since = self.shown.unwrap_or(self.started).elapsed();
        if !self.is_wanted || since.as_millis() < 200 {
            return;
        }
        self.shown = Some(Instant::now());
        let speed = octets as f64 / self.started.elapsed().as_secs_f64().max(0.001);
        let share = self.length.filter(|&length| length > 0).map_or_else(String::new, |length| {
            format!("{:3} % ", octets.saturating_mul(100) / length)
        });
        eprint!("\r\x1b[K{share}{} at {}/s", output::size(octets), output::size(speed as u64));
    }

    fn clear(&self) {
        if self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

fn microseconds(time: SystemTime) -> Option<i64> {
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()
}

/// Chance for the table of connections: whoever made the capture shall not know it.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    const LOG: &str = "Nov 22 05:43:00 mx postfix/smtp[7]: 4F2A11C0: to=<bob@b.test>, relay=mx.b.test[192.0.2.9]:25, delay=1, \
        delays=0/0/1/0, dsn=5.1.1, status=bounced (host mx.b.test[192.0.2.9] said: 550 5.1.1 unknown user (in reply to RCPT TO command))\n";

    fn read_octets(octets: &[u8]) -> (Opened, usize) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(octets).unwrap();
        let mut count = 0;
        let mut sink = |_| {
            count += 1;
            Ok(())
        };
        let name = file.path().to_string_lossy().into_owned();
        let reading = Reading { quiet: true, ..Reading::default() };
        let opened = read(&name, &reading, &mut sink).unwrap_or_else(|_| panic!("not read"));
        (opened, count)
    }

    fn packed(octets: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(octets).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn what_gzip_packed_is_read_as_what_it_holds() {
        let (plain, count) = read_octets(LOG.as_bytes());
        let (opened, of_packed) = read_octets(&packed(LOG.as_bytes()));
        assert_eq!((opened.kind, opened.octets, of_packed), ("log", plain.octets, count));
        assert_eq!((opened.problems, count), (Vec::<String>::new(), 1));
    }

    #[test]
    fn of_what_was_packed_and_cut_off_the_beginning_is_told_and_the_damage() {
        let mut state = 1_u32;
        let noise: String = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + (state >> 24) as u8 % 26)
        })
        .take(100_000)
        .collect();
        let packed = packed(format!("{LOG}{noise}\n").as_bytes());
        let (opened, count) = read_octets(&packed[..packed.len() / 2]);
        assert_eq!((opened.kind, count), ("log", 1));
        assert!(opened.problems[0].contains("ends or is damaged"), "{:?}", opened.problems);
    }

    #[test]
    fn what_others_packed_is_named_however_long() {
        let long = [b"BZh9".as_slice(), &vec![b'x'; PASTED_MAX + 1]].concat();
        for octets in [&long[..], b"BZh9", b"PK\x03\x04..."] {
            let (opened, count) = read_octets(octets);
            assert_eq!((opened.kind, count), ("nothing", 0));
            assert!(opened.problems[0].contains("unpack or convert"), "{:?}", opened.problems);
        }
    }
}
