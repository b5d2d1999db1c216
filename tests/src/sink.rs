//! A next hop that keeps what it is given, and misbehaves as told.

use std::{
    io::{BufRead, BufReader, Read, Result, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use crate::program::wait_for;

/// One message that came to its end.
#[derive(Clone, Debug)]
pub struct Taken {
    /// As given in MAIL, with its parameters.
    pub mail: String,
    /// The forward-paths, without parameters.
    pub recipients: Vec<String>,
    /// The RCPT commands.
    pub rcpt: Vec<String>,
    /// Which connection it came over, counted from 0.
    pub session: usize,
    /// Unstuffed.
    pub content: Vec<u8>,
    /// When its end was read.
    pub at: Instant,
    /// Whether we said 250.
    pub verdict: Verdict,
}

/// What is answered to a message's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// 250.
    Accept,
    /// 451: come again.
    Defer,
    /// We take it, and close without a word.
    AcceptAndClose,
}

/// What a sink offers and how it judges.
#[derive(Clone)]
pub struct Habits {
    /// EHLO keywords.
    pub offers: Vec<String>,
    /// The reply to MAIL, by the number of the connection and that of the MAIL in it, both from 0; none: 250.
    /// A 421 is the connection's end.
    pub mail: Arc<dyn Fn(usize, usize) -> Option<&'static str> + Send + Sync>,
    /// Judges each message.
    pub judge: Arc<dyn Fn(&Taken) -> Verdict + Send + Sync>,
    /// Whether content is kept once it is judged.
    pub keep: bool,
}

impl Default for Habits {
    fn default() -> Self {
        let offers =
            ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN", "SIZE 100000000"];
        Self {
            offers: offers.map(str::to_owned).to_vec(),
            mail: Arc::new(|_, _| None),
            judge: Arc::new(|_| Verdict::Accept),
            keep: true,
        }
    }
}

impl Habits {
    /// Offers these keywords besides.
    pub fn offering(more: &[&str]) -> Self {
        let mut habits = Self::default();
        habits.offers.extend(more.iter().map(|&keyword| keyword.to_owned()));
        habits
    }
}

/// Listens until the process ends.
#[derive(Clone)]
pub struct Sink {
    /// Where.
    pub port: u16,
    taken: Arc<Mutex<Vec<Taken>>>,
}

impl Sink {
    /// Starts one that takes everything.
    pub fn start() -> Self {
        Self::with(Habits::default())
    }

    /// Starts one with habits.
    ///
    /// # Panics
    ///
    /// When no port can be had.
    pub fn with(habits: Habits) -> Self {
        Self::at(crate::ports::free(), habits)
    }

    /// Starts one with habits at a port that was dead until now.
    ///
    /// # Panics
    ///
    /// When the port is taken.
    pub fn at(port: u16, habits: Habits) -> Self {
        let listener =
            TcpListener::bind(("127.0.0.1", port)).expect("the port was free a moment ago");
        let taken = Arc::new(Mutex::new(Vec::new()));
        let sink = Self { port, taken };
        let keeper = sink.clone();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let (keeper, habits) = (keeper.clone(), habits.clone());
                // A client that goes in the middle of a session is what some tests are about.
                thread::spawn(move || Session::run(stream, number, &habits, &keeper).ok());
            }
        });
        sink
    }

    /// Everything so far, refused ones too, in order of arrival.
    ///
    /// # Panics
    ///
    /// When a session of the sink panicked.
    pub fn taken(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.taken.lock().expect("no session panics")
    }

    /// Waits for `count` messages.
    ///
    /// # Panics
    ///
    /// When they have not come after 30 s.
    #[track_caller]
    pub fn wait(&self, count: usize) -> Vec<Taken> {
        wait_for(&format!("{count} messages at the sink"), Duration::from_secs(30), || {
            let taken = self.taken();
            (taken.len() >= count).then(|| taken.clone())
        })
    }
}

struct Session<'a> {
    stream: BufReader<TcpStream>,
    habits: &'a Habits,
    number: usize,
    mails: usize,
    mail: String,
    recipients: Vec<String>,
    rcpt: Vec<String>,
    content: Vec<u8>,
}

impl<'a> Session<'a> {
    fn run(stream: TcpStream, number: usize, habits: &'a Habits, sink: &Sink) -> Result<()> {
        stream.set_nodelay(true)?;
        let stream = BufReader::with_capacity(64 * 1024, stream);
        let (mail, recipients, rcpt, content) = Default::default();
        let mut session =
            Self { stream, habits, number, mails: 0, mail, recipients, rcpt, content };
        session.say("220 sink.test ESMTP")?;
        let mut line = String::new();
        loop {
            line.clear();
            if session.stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if session.command(line.trim_end(), sink)?.is_none() {
                return Ok(());
            }
        }
    }

    /// One command; `None` ends the session.
    fn command(&mut self, line: &str, sink: &Sink) -> Result<Option<()>> {
        let upper = line.to_ascii_uppercase();
        let verb = upper.split(' ').next().unwrap_or_default();
        match verb {
            "EHLO" => self.hello()?,
            "MAIL" => {
                self.forget();
                let refused = (self.habits.mail)(self.number, self.mails);
                if refused.is_none() {
                    self.mail = line.to_owned();
                }
                self.mails += 1;
                self.say(refused.unwrap_or("250 2.1.0 ok"))?;
                return Ok((!refused.is_some_and(|reply| reply.starts_with("421"))).then_some(()));
            }
            "RCPT" | "DATA" if self.mail.is_empty() => self.say("503 5.5.1 MAIL first")?,
            "RCPT" => {
                let path = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
                self.recipients.push(path.map_or(line, |(path, _)| path).to_owned());
                self.rcpt.push(line.to_owned());
                self.say("250 2.1.5 ok")?;
            }
            "DATA" => {
                self.say("354 go on")?;
                self.read_content()?;
                return self.end(sink);
            }
            "BDAT" => {
                let size = upper.split(' ').nth(1).and_then(|size| size.parse().ok()).unwrap_or(0);
                self.stream.by_ref().take(size).read_to_end(&mut self.content)?;
                if upper.ends_with(" LAST") {
                    return self.end(sink);
                }
                self.say("250 2.0.0 more")?;
            }
            "RSET" => {
                self.forget();
                self.say("250 2.0.0 ok")?;
            }
            "QUIT" => {
                self.say("221 2.0.0 bye")?;
                return Ok(None);
            }
            "XEXCH50" => self.say("504 Need to authenticate first")?,
            _ => self.say("250 2.0.0 ok")?,
        }
        Ok(Some(()))
    }

    fn hello(&mut self) -> Result<()> {
        let mut reply = "250-sink.test\r\n".to_owned();
        for offer in &self.habits.offers {
            reply.push_str(&format!("250-{offer}\r\n"));
        }
        self.say(&format!("{reply}250 HELP"))
    }

    fn read_content(&mut self) -> Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.stream.read_until(b'\n', &mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            match line.as_slice() {
                b".\r\n" => return Ok(()),
                [b'.', rest @ ..] => self.content.extend_from_slice(rest),
                whole => self.content.extend_from_slice(whole),
            }
        }
    }

    /// The message is here: it is written down before the client hears so.
    fn end(&mut self, sink: &Sink) -> Result<Option<()>> {
        let mut taken = Taken {
            mail: std::mem::take(&mut self.mail),
            recipients: std::mem::take(&mut self.recipients),
            rcpt: std::mem::take(&mut self.rcpt),
            session: self.number,
            content: std::mem::take(&mut self.content),
            at: Instant::now(),
            verdict: Verdict::Accept,
        };
        taken.verdict = (self.habits.judge)(&taken);
        if !self.habits.keep {
            taken.content = Vec::new();
        }
        let verdict = taken.verdict;
        sink.taken().push(taken);
        match verdict {
            Verdict::Accept => self.say("250 2.0.0 taken")?,
            Verdict::Defer => self.say("451 4.3.0 not now")?,
            Verdict::AcceptAndClose => return Ok(None),
        }
        Ok(Some(()))
    }

    fn forget(&mut self) {
        self.mail.clear();
        self.recipients.clear();
        self.rcpt.clear();
        self.content.clear();
    }

    fn say(&mut self, reply: &str) -> Result<()> {
        self.stream.get_mut().write_all(format!("{reply}\r\n").as_bytes())
    }
}
