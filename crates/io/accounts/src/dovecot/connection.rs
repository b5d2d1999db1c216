//! A connection to Dovecot's auth service, shared by all logins: who asks gets the line with his number.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use sasl::Mechanisms;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf},
    sync::oneshot,
    task::JoinHandle,
};
use world::{
    World,
    net::{Connect, Stream},
};

use super::line::Line;
use crate::settings::DovecotSettings;

/// Its lines are at most 8 KiB; a challenge may be longer in other releases.
const LINE_MAX: u64 = 64 * 1024;
/// Lines of its greeting.
const GREETING_MAX: usize = 200;
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// The connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost;

pub(super) struct Connection {
    writer: tokio::sync::Mutex<WriteHalf<Stream>>,
    waiting: Arc<Waiting>,
    number: AtomicU32,
    reader: JoinHandle<()>,
}

/// Who waits for a line; none once the connection is closed.
struct Waiting(Mutex<Option<BTreeMap<u32, oneshot::Sender<Line>>>>);

impl Connection {
    /// Connects and shakes hands. What it offers comes with it.
    pub(super) async fn open(
        world: &World,
        settings: &DovecotSettings,
    ) -> Result<(Self, Mechanisms), String> {
        let connected = match settings.address {
            Some(to) => {
                world.net.connect(Connect { to, source: None, timeout: CONNECT_PATIENCE }).await
            }
            None => world.net.connect_unix(&settings.socket).await,
        };
        let stream = connected.map_err(|error| error.to_string())?;
        let (reader, mut writer) = tokio::io::split(stream);
        let mut reader = BufReader::new(reader);
        let hello = format!("VERSION\t1\t2\nCPID\t{}\n", std::process::id());
        writer.write_all(hello.as_bytes()).await.map_err(|error| error.to_string())?;
        let offered = greeting(&mut reader).await?;
        let waiting = Arc::new(Waiting(Mutex::new(Some(BTreeMap::new()))));
        let reader = tokio::spawn(read(reader, waiting.clone()));
        let writer = tokio::sync::Mutex::new(writer);
        Ok((Self { writer, waiting, number: AtomicU32::new(1), reader }, offered))
    }

    pub(super) fn is_open(&self) -> bool {
        self.waiting.with(|_| ()).is_some()
    }

    pub(super) fn close(&self) {
        self.waiting.end();
    }

    /// For the next login. The protocol has 32 bits; numbers come again after 4,000 million logins.
    pub(super) fn number(&self) -> u32 {
        self.number.fetch_add(1, Relaxed)
    }

    /// Says a line, and waits for the one with that number.
    pub(super) async fn ask(&self, id: u32, line: &str) -> Result<Line, Lost> {
        let (sender, answer) = oneshot::channel();
        self.waiting.with(|waiting| waiting.insert(id, sender)).ok_or(Lost)?;
        let forgotten = Forgotten { waiting: &self.waiting, id };
        if self.writer.lock().await.write_all(line.as_bytes()).await.is_err() {
            self.close();
            return Err(Lost);
        }
        let answered = answer.await.map_err(|_| Lost);
        drop(forgotten);
        answered
    }

    pub(super) async fn cancel(&self, id: u32) {
        self.forget(id);
        let line = format!("CANCEL\t{id}\n");
        if self.writer.lock().await.write_all(line.as_bytes()).await.is_err() {
            self.close();
        }
    }

    pub(super) fn forget(&self, id: u32) {
        self.waiting.with(|waiting| waiting.remove(&id));
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Nobody waits for it any more, however the waiting ended.
struct Forgotten<'a> {
    waiting: &'a Waiting,
    id: u32,
}

impl Drop for Forgotten<'_> {
    fn drop(&mut self) {
        self.waiting.with(|waiting| waiting.remove(&self.id));
    }
}

impl Waiting {
    fn with<T>(
        &self,
        work: impl FnOnce(&mut BTreeMap<u32, oneshot::Sender<Line>>) -> T,
    ) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(work)
    }

    /// Closed: all who wait hear it by the drop of their senders.
    fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

async fn greeting(reader: &mut BufReader<ReadHalf<Stream>>) -> Result<Mechanisms, String> {
    let mut offered = Mechanisms::NONE;
    for _ in 0..GREETING_MAX {
        let Some(line) = next(reader).await else {
            return Err("it hangs up before its greeting is over".to_owned());
        };
        match line.word() {
            "VERSION" if line.at(1) != Some("1") => {
                let version = line.at(1).unwrap_or_default();
                return Err(format!("it speaks version {version} of the protocol, we speak 1"));
            }
            "MECH" => {
                let mechanism = line.at(1).and_then(|name| name.parse().ok());
                offered = mechanism.map_or(offered, |mechanism| offered.with(mechanism));
            }
            "DONE" => return Ok(offered),
            _ => {}
        }
    }
    Err("its greeting does not end".to_owned())
}

async fn next(reader: &mut BufReader<ReadHalf<Stream>>) -> Option<Line> {
    let mut octets = Vec::new();
    let read = reader.take(LINE_MAX).read_until(b'\n', &mut octets).await;
    match read {
        Ok(1..) if octets.pop() == Some(b'\n') => {
            Some(Line::parse(&String::from_utf8_lossy(&octets)))
        }
        _ => None,
    }
}

async fn read(mut reader: BufReader<ReadHalf<Stream>>, waiting: Arc<Waiting>) {
    while let Some(line) = next(&mut reader).await {
        if let Some(number) = line.number() {
            let waits = waiting.with(|waiting| waiting.remove(&number)).flatten();
            // Whoever asked may have gone.
            let _gone = waits.map(|sender| sender.send(line));
        }
    }
    waiting.end();
}
