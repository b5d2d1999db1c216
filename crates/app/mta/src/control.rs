//! The server's end of the Unix socket: requests from the command line, answered from the running
//! agent. See [`crate::handle`] for the words.

mod door;

use std::{path::PathBuf, sync::Arc};

use smtp::Timestamp;
use spool::{JobId, MessageId};
use tokio::io::{AsyncWriteExt, BufReader};
use world::net::{Listener, Stream};

use crate::{
    Agent,
    handle::{
        self, Detail, Entry, EntryState, Filter, ListenerStatus, QueueStatus, RecipientDetail,
        Request, Response, Selector, SpoolStatus, Status,
    },
    inquire,
    queue::{Action, Place, Queue, View},
    tls_reports::{self, About},
};

/// What the operator may ask of the process as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Read the configuration anew.
    Reload,
    /// End in good order.
    Stop,
    /// End at once; what is under way is tried again at the next start.
    StopNow,
}

/// What came of a wish: what the operator should know besides, or why it could not be.
pub type Granted = Result<Vec<String>, String>;

/// Carries out a wish: reload can fail, and the operator is told how.
pub type Wishes = tokio::sync::mpsc::Sender<(Wish, tokio::sync::oneshot::Sender<Granted>)>;

/// Answers one connection after the other, each in a task of its own.
pub async fn serve(
    agent: Arc<Agent>,
    listener: Listener,
    config_file: Option<PathBuf>,
    wishes: Wishes,
) {
    loop {
        match listener.accept().await {
            Ok(stream) => {
                let desk = Desk {
                    agent: agent.clone(),
                    config_file: config_file.clone(),
                    wishes: wishes.clone(),
                };
                agent.queue.context.tasks.spawn(async move {
                    if let Err(error) = desk.attend(stream).await {
                        tracing::debug!(%error, "control connection ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "control socket: accept failed");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

/// One connection's side.
struct Desk {
    agent: Arc<Agent>,
    config_file: Option<PathBuf>,
    wishes: Wishes,
}

impl Desk {
    async fn attend(&self, stream: Stream) -> std::io::Result<()> {
        let (read, mut write) = tokio::io::split(stream);
        let mut read = BufReader::new(read);
        loop {
            match handle::read_request(&mut read).await {
                Ok(None) => return Ok(()),
                Ok(Some(Request::Export { id })) => self.export(&id, &mut write).await?,
                Ok(Some(request)) => {
                    for response in self.answer(request).await {
                        handle::write_response(&mut write, &response).await?;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                    let response = refused(error.to_string(), None);
                    handle::write_response(&mut write, &response).await?;
                }
                Err(error) => return Err(error),
            }
            write.flush().await?;
        }
    }

    async fn answer(&self, request: Request) -> Vec<Response> {
        match request {
            Request::Status => vec![Response::Status(Box::new(self.status())), done(1)],
            Request::QueueList { filter } => self.list(&filter),
            Request::QueueShow { id } => self.show(&id),
            Request::Retry { selector } => self.act(&selector, &Action::Retry).await,
            Request::Hold { selector } => self.act(&selector, &Action::Hold).await,
            Request::Release { selector } => self.act(&selector, &Action::Release).await,
            Request::Remove { selector } => self.act(&selector, &Action::Remove).await,
            Request::Bounce { selector, reason } => {
                let reason = reason.unwrap_or_else(|| "it was taken out of the queue".to_owned());
                self.act(&selector, &Action::Bounce(reason)).await
            }
            Request::Reroute { selector, next_hop } => {
                match next_hop.parse::<crate::config::NextHop>() {
                    Ok(_) => self.act(&selector, &Action::Reroute(next_hop)).await,
                    Err(error) => vec![refused(error.to_string(), None)],
                }
            }
            Request::Why { subject } => self.why(&subject).await,
            Request::DoorCheck { visit } => door::check(&self.agent, &visit).await,
            Request::Logins => door::logins(&self.agent),
            Request::Unlock { text } => vec![door::unlock(&self.agent, &text)],
            Request::Greylist { text, forget, count_max } => {
                door::greylist(&self.agent, &text, forget, count_max)
            }
            Request::TlsReport { day, domain } => self.tls_report(day, domain),
            Request::Reload => self.wish(Wish::Reload).await,
            Request::Stop { now } => self.wish(if now { Wish::StopNow } else { Wish::Stop }).await,
            Request::Export { .. } => Vec::new(),
        }
    }

    fn tls_report(&self, day: Option<String>, domain: Option<String>) -> Vec<Response> {
        let context = &self.queue().context;
        let Some(keeper) = &context.tls_reports else {
            let help = "set `keep = true` under [tls_reports]".to_owned();
            return vec![refused("TLS sessions are not counted".to_owned(), Some(help))];
        };
        let day = day.unwrap_or_else(|| message::date::day(context.world.clock.now()));
        let domains = domain.map_or_else(|| keeper.domains(&day), |domain| vec![domain]);
        let config = context.config();
        let contact = config.config.tls_reports.contact(&config);
        let mut responses = Vec::new();
        for domain in &domains {
            if let Some(counted) = keeper.of(&day, domain) {
                let organization = &config.config.hostname;
                let about = About { organization, contact: &contact, day: &day, domain };
                responses.push(Response::TlsReport { report: tls_reports::json(&about, &counted) });
            }
        }
        let count = responses.len() as u64;
        responses.push(done(count));
        responses
    }

    fn queue(&self) -> &Arc<Queue> {
        &self.agent.queue
    }

    async fn wish(&self, wish: Wish) -> Vec<Response> {
        let (tell, told) = tokio::sync::oneshot::channel();
        if self.wishes.send((wish, tell)).await.is_err() {
            return vec![refused("it is ending already".to_owned(), None)];
        }
        match told.await {
            Ok(Ok(notes)) => vec![Response::Done { count: 1, notes }],
            Ok(Err(why)) => vec![refused(why, Some("nothing was changed".to_owned()))],
            Err(_) => vec![refused("it is ending already".to_owned(), None)],
        }
    }

    fn list(&self, filter: &Filter) -> Vec<Response> {
        let now = self.queue().context.world.clock.now();
        let views = self.queue().views(|view| matches(view, filter, now));
        let most =
            filter.count_max.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        let count = views.len() as u64;
        let mut responses: Vec<_> =
            views.iter().take(most).map(|view| Response::Entry(Box::new(entry(view)))).collect();
        responses.push(done(count));
        responses
    }

    fn show(&self, id: &str) -> Vec<Response> {
        let jobs = match self.find(id) {
            Ok(jobs) => jobs,
            Err(response) => return vec![response],
        };
        let views = self.queue().views(|view| jobs.contains(&view.id));
        let count = views.len() as u64;
        let mut responses: Vec<_> =
            views.iter().map(|view| Response::Detail(Box::new(self.detail(view)))).collect();
        responses.push(done(count));
        responses
    }

    fn detail(&self, view: &View) -> Detail {
        let config = self.queue().context.config();
        let carried = view.carried();
        let last = carried.last.as_ref().map(last);
        let retry = config.retry(config.route(&view.lane)).clone();
        Detail {
            entry: entry(view),
            message_id: carried.message_id.as_deref().map(str::to_owned),
            envid: carried.envelope.envid.as_deref().and_then(decoded),
            gives_up: view.arrived.after(retry.give_up),
            route: self.queue().route_of(view),
            sending: self.queue().sending_of(view),
            recipients: carried
                .envelope
                .recipients
                .iter()
                .map(|r| RecipientDetail {
                    address: r.forward_path.to_string(),
                    last: last.clone(),
                })
                .collect(),
        }
    }

    async fn act(&self, selector: &Selector, action: &Action) -> Vec<Response> {
        let jobs = match self.select(selector) {
            Ok(jobs) => jobs,
            Err(response) => return vec![response],
        };
        let mut count = 0;
        let mut notes = Vec::new();
        for job in jobs {
            match self.queue().operate(job, action, "the command line").await {
                Ok(()) => count += 1,
                Err(error) => notes.push(error.to_string()),
            }
        }
        vec![Response::Done { count, notes }]
    }

    fn select(&self, selector: &Selector) -> Result<Vec<JobId>, Response> {
        Ok(match selector {
            Selector::Ids(ids) => {
                let mut jobs = Vec::new();
                for id in ids {
                    jobs.extend(self.find(id)?);
                }
                jobs
            }
            Selector::Domain(domain) => {
                let found = self.queue().views(|view| view.lane.eq_ignore_ascii_case(domain));
                found.iter().map(|view| view.id).collect()
            }
            Selector::All => self.queue().views(|_| true).iter().map(|view| view.id).collect(),
        })
    }

    /// A queue id names a message with all its jobs; with `.2` just that one.
    fn find(&self, id: &str) -> Result<Vec<JobId>, Response> {
        let wrong = |error: spool::id::NotAnId| refused(error.to_string(), None);
        let jobs: Vec<_> = match id.contains('.') {
            true => {
                let job: JobId = id.parse().map_err(wrong)?;
                self.queue().views(|view| view.id == job)
            }
            false => self.queue().views_of(id.parse().map_err(wrong)?),
        };
        match jobs.is_empty() {
            true => Err(refused(
                format!("{id} is not queued"),
                Some(format!("`mailwright why {id}` tells what became of it")),
            )),
            false => Ok(jobs.iter().map(|view| view.id).collect()),
        }
    }

    async fn export(
        &self,
        id: &str,
        out: &mut (impl AsyncWriteExt + Unpin),
    ) -> std::io::Result<()> {
        const PIECE: usize = 256 * 1024;
        let message = id.split('.').next().unwrap_or(id).parse::<MessageId>();
        let content = match message.map(|message| self.queue().context.spool.content(message)) {
            Ok(Some(content)) => content,
            Ok(None) => {
                let help = Some(format!("`mailwright why {id}` tells what became of it"));
                return handle::write_response(out, &refused(format!("{id} is not queued"), help))
                    .await;
            }
            Err(error) => {
                return handle::write_response(out, &refused(error.to_string(), None)).await;
            }
        };
        handle::write_response(out, &Response::Content { length: content.len() }).await?;
        let mut offset = 0;
        while offset < content.len() {
            let piece = content.read(offset, PIECE).await.map_err(std::io::Error::other)?;
            if piece.is_empty() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            offset += piece.len() as u64;
            out.write_all(&piece).await?;
        }
        handle::write_response(out, &done(1)).await
    }

    async fn why(&self, subject: &str) -> Vec<Response> {
        match inquire::explain(self.queue(), subject).await {
            Ok(why) => vec![Response::Explanation { why: Box::new(why) }, done(1)],
            Err(error) => vec![refused(error.to_string(), None)],
        }
    }

    fn status(&self) -> Status {
        let context = &self.queue().context;
        let config = context.config();
        let usage = context.spool.usage();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: config.config.hostname.clone(),
            pid: std::process::id(),
            started: self.agent.started,
            now: context.world.clock.now(),
            stopping: self.agent.is_stopping(),
            config: self.config_file.as_ref().map(|path| path.display().to_string()),
            data: config.config.data.display().to_string(),
            listeners: self.listeners(),
            queue: self.queue_status(),
            spool: SpoolStatus {
                messages: usage.messages,
                disk: usage.disk,
                content: usage.content,
                damaged: usage.damaged,
                refusing: usage.refusing,
            },
            counts: context.metrics.snapshot(),
            rules: self.rules(),
        }
    }

    fn rules(&self) -> Vec<(String, u64)> {
        let counts = self.queue().context.policy.counts();
        counts.into_iter().map(|(rule, count)| (rule.to_owned(), count)).collect()
    }

    fn listeners(&self) -> Vec<ListenerStatus> {
        let status = |(address, name, role): (world::net::Endpoint, String, &str)| ListenerStatus {
            name,
            role: role.to_owned(),
            address: crate::agent::place(&address),
            sessions: u64::from(self.agent.census.all()),
        };
        self.agent.listening().into_iter().map(status).collect()
    }

    fn queue_status(&self) -> QueueStatus {
        let views = self.queue().views(|_| true);
        let count = |wanted: EntryState| {
            views.iter().filter(|view| state(&view.place) == wanted).count() as u64
        };
        let waiting = views.iter().filter(|view| view.place == Place::Waiting);
        QueueStatus {
            jobs: views.len() as u64,
            active: count(EntryState::Active),
            ready: count(EntryState::Ready),
            waiting: count(EntryState::Waiting),
            held: count(EntryState::Held),
            connections: self.queue().workers() as u64,
            oldest: views.iter().map(|view| view.arrived).min(),
            next_due: waiting.map(|view| view.due).min(),
        }
    }
}

fn matches(view: &View, filter: &Filter, now: Timestamp) -> bool {
    let seconds = std::time::Duration::from_secs;
    let contains = |text: &str| {
        view.carried()
            .last
            .as_ref()
            .is_some_and(|trouble| last(trouble).to_lowercase().contains(&text.to_lowercase()))
    };
    filter.domain.as_ref().is_none_or(|domain| view.lane.eq_ignore_ascii_case(domain))
        && filter.older.is_none_or(|older| now.since(view.arrived) >= seconds(older))
        && filter.larger.is_none_or(|larger| view.size >= larger)
        && filter.reply.as_ref().is_none_or(|text| contains(text))
        && filter.due_within.is_none_or(|within| view.due <= now.after(seconds(within)))
        && (!filter.held || view.place == Place::Held)
}

fn entry(view: &View) -> Entry {
    let carried = view.carried();
    Entry {
        id: view.id.to_string(),
        state: state(&view.place),
        domain: view.lane.to_string(),
        reverse_path: carried
            .envelope
            .reverse_path
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        recipients: carried
            .envelope
            .recipients
            .iter()
            .map(|r| r.forward_path.to_string())
            .collect(),
        size: view.size,
        at: view.arrived,
        due: view.due,
        attempts: view.attempts,
        last: carried.last.as_ref().map(last),
    }
}

fn state(place: &Place) -> EntryState {
    match place {
        Place::Held => EntryState::Held,
        Place::Waiting => EntryState::Waiting,
        Place::Routing | Place::Ready(_) => EntryState::Ready,
        Place::Busy => EntryState::Active,
    }
}

/// `mx1.b.test: 451 4.7.1 try later`.
fn last(trouble: &crate::carried::LastTrouble) -> String {
    match trouble.next_hop.is_empty() {
        true => trouble.cause.trouble.to_string(),
        false => format!("{}: {}", trouble.next_hop, trouble.cause.trouble),
    }
}

/// ENVID in plain text; nothing if it is not UTF-8.
fn decoded(xtext: &str) -> Option<String> {
    String::from_utf8(smtp::xtext::decode(xtext).into_owned()).ok()
}

fn done(count: u64) -> Response {
    Response::Done { count, notes: Vec::new() }
}

fn refused(message: String, help: Option<String>) -> Response {
    Response::Refused { message, help }
}
