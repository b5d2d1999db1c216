//! One transfer agent: opened spool, running queue, open listeners; and how it ends.
//!
//! It runs in the real world and, many at a time, in the simulated one: nothing here knows which.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use accounts::{Accounts, AccountsError};
use arc_swap::ArcSwap;
use policy::Policy;
use smtp::Timestamp;
use spool::local::{LocalSpool, Settings};
use tokio::sync::watch;
use transport::mta_sts;
use world::{
    World,
    net::{Endpoint, Listener},
};

use crate::{
    config::{Compiled, Config, ConfigErrors, Role, load::load_users, restart},
    context::{Context, Remembered},
    customer, decoys, evidence,
    identity::{self, Identity},
    listen::{self, Census, Door, Entrance},
    outgoing_tls::OutgoingTls,
    queue::Queue,
    record::Recorder,
    tls_reports,
};

/// How often evidence is written where time is simulated.
const SIMULATED_FLUSH_EVERY: Duration = Duration::from_secs(30);

/// Where background work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// On threads of its own: the real machine.
    Thread,
    /// In the runtime's tasks, deterministically: the simulated one.
    Task,
}

/// A running transfer agent.
pub struct Agent {
    /// The queue, and by way of it everything shared.
    pub queue: Arc<Queue>,
    /// Who is connected.
    pub census: Arc<Census>,
    /// When it started.
    pub started: Timestamp,
    /// As it was started.
    begun: Config,
    closing: watch::Sender<bool>,
    open: Mutex<BTreeMap<Endpoint, Open>>,
}

/// One address that is listened on.
struct Open {
    door: Arc<ArcSwap<Door>>,
    gone: watch::Sender<bool>,
}

/// One address that is to be listened on.
struct Wanted {
    at: Endpoint,
    door: Arc<Door>,
    /// Unless it is open already.
    bound: Option<Listener>,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration file.
    #[error("the configuration has errors")]
    Config(#[source] ConfigErrors),
    /// What follows from it.
    #[error("the configuration can't be used")]
    Compile(#[from] crate::config::compiled::CompileError),
    /// The data directory.
    #[error("cannot use the data directory `{}`", path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The spool.
    #[error("cannot open the spool `{}`", path.display())]
    Spool {
        /// Which.
        path: PathBuf,
        /// Why.
        source: spool::local::OpenError,
    },
    /// The evidence log.
    #[error("cannot open the evidence log")]
    Evidence(#[from] evidence::EvidenceError),
    /// What is asked at the door.
    #[error("`[door]` can't be used")]
    Door(#[from] policy::PolicyError),
    /// Who knows users.
    #[error("`[[accounts]]` can't be used")]
    Accounts(#[from] AccountsError),
    /// The key of [`decoys`].
    #[error("no randomness for the key that unknown users' salts are made with")]
    Decoys(#[source] std::io::Error),
    /// The certificate.
    #[error("cannot use the certificate")]
    Tls(#[from] transport::TlsError),
    /// A listener.
    #[error("cannot listen on {address} (listener `{name}`)")]
    Listen {
        /// Where: an address, or the path of a socket.
        address: String,
        /// Whose.
        name: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Agent {
    /// Opens everything and starts to work. What was queued is tried when it is due.
    pub async fn start(config: Config, world: World, pace: Pace) -> Result<Arc<Self>, StartError> {
        let data = config.data.clone();
        world
            .disk
            .create_directory(&data)
            .map_err(|source| StartError::Data { path: data, source })?;
        let tls = OutgoingTls::new(&world, &config)?;
        let identity = identity::prepare(&world, &config)?;
        let users = load_users(&config).map_err(StartError::Config)?;
        let compiled = Compiled::new(config, users)?;
        let accounts = prepare_accounts(&world, &compiled).await?;
        let decoys = decoys::prepare(&world, &compiled.config)?;
        let path = compiled.config.spool_directory();
        let settings = spool_settings(&compiled.config);
        let spool_pace = match pace {
            Pace::Thread => spool::local::Pace::Thread,
            Pace::Task => spool::local::Pace::Task,
        };
        let opened = LocalSpool::open(world.disk.clone(), &path, settings, spool_pace)
            .map_err(|source| StartError::Spool { path, source })?;
        report_opened(&opened);
        let recorder = Recorder { log: open_evidence(&compiled.config, &world, pace)? };
        let set = door_settings(&world, &compiled.config)?;
        let policy = Policy::open(&world, &compiled.config.data, decoys.octets(), set)?;
        let (spool, policy) = (Arc::new(opened.spool), Arc::new(policy));
        let remembered = Remembered {
            mta_sts: open_mta_sts(&world, &compiled.config),
            tls_reports: open_tls_reports(&world, &compiled.config),
            decoys,
        };
        let context = Context::new(world, spool, recorder, policy, remembered, compiled, tls);
        let queue = Queue::new(Arc::new(context));
        queue.restore(opened.found);
        let agent = Arc::new(Self {
            begun: queue.context.config().config.clone(),
            started: queue.context.world.clock.now(),
            queue: queue.clone(),
            census: Arc::default(),
            closing: watch::Sender::new(false),
            open: Mutex::default(),
        });
        let wanted = agent.bind(&queue.context.config(), identity, &accounts)?;
        agent.open_listeners(wanted);
        let closing = agent.closing.subscribe();
        queue.context.tasks.spawn(tls_reports::run(queue.clone(), closing.clone()));
        queue.context.tasks.spawn(refresh_mta_sts(queue.clone(), closing));
        queue.context.tasks.spawn(queue.clone().keep_time());
        let policy = queue.context.policy.clone();
        let mut closing = agent.closing.subscribe();
        queue.context.tasks.spawn(async move {
            tokio::select! {
                biased;
                // A stop waits for every task.
                _ = closing.wait_for(|&closing| closing) => {}
                () = policy.keep(pace == Pace::Thread) => {}
            }
        });
        queue.context.tasks.spawn(customer::keep_fetching(agent.entrance()));
        Ok(agent)
    }

    /// Takes a new configuration into use: open sessions go on as they began, the next ones follow it.
    /// On an error everything stays as it was. Gives the keys whose new values wait for a restart.
    pub async fn reload(&self, config: Config) -> Result<Vec<String>, StartError> {
        let waiting = restart::waiting(&self.begun, &config);
        let tls = OutgoingTls::new(&self.queue.context.world, &config)?;
        let identity = identity::prepare(&self.queue.context.world, &config)?;
        let users = load_users(&config).map_err(StartError::Config)?;
        let compiled = Compiled::new(config, users)?;
        let accounts = prepare_accounts(&self.queue.context.world, &compiled).await?;
        let set = door_settings(&self.queue.context.world, &compiled.config)?;
        let wanted = self.bind(&compiled, identity, &accounts)?;
        // From here on nothing fails but the first, which then has changed nothing.
        self.queue.context.policy.reconfigure(set)?;
        self.queue.context.reconfigure(compiled, tls);
        self.queue.forget_ways();
        self.open_listeners(wanted);
        Ok(waiting)
    }

    /// Listens wherever that configuration wants and nobody listens yet. Nothing else is changed, so that what
    /// fails leaves everything as it was.
    fn bind(
        &self,
        config: &Compiled,
        identity: Option<Identity>,
        accounts: &Accounts,
    ) -> Result<Vec<Wanted>, StartError> {
        let mut wanted = Vec::new();
        for (listener, _) in &config.listeners {
            let issuers = listener.client_ca.as_deref();
            let tls = identity.as_ref().map(|identity| identity.asking(issuers));
            let door = Arc::new(Door::new(config, listener, tls, accounts));
            for &address in &listener.address {
                wanted.push(self.bind_one(Endpoint::Ip(address), 0, &door)?);
            }
            if let Some(path) = &listener.socket {
                let mode = listener.socket_mode.bits();
                wanted.push(self.bind_one(Endpoint::Unix(path.as_path().into()), mode, &door)?);
            }
        }
        Ok(wanted)
    }

    fn bind_one(&self, at: Endpoint, mode: u32, door: &Arc<Door>) -> Result<Wanted, StartError> {
        let net = &self.queue.context.world.net;
        let bound = match &at {
            _ if self.open().contains_key(&at) => Ok(None),
            Endpoint::Ip(address) => net.listen(*address).map(Some),
            Endpoint::Unix(path) => net.listen_unix(path, mode).map(Some),
        };
        let (address, name) = (place(&at), door.name.clone());
        let bound = bound.map_err(|source| StartError::Listen { address, name, source })?;
        Ok(Wanted { at, door: door.clone(), bound })
    }

    /// Brings the open listeners in line with what is wanted.
    fn open_listeners(&self, wanted: Vec<Wanted>) {
        let stays: BTreeSet<_> = wanted.iter().map(|wanted| wanted.at.clone()).collect();
        self.open().retain(|at, open| {
            let stays = stays.contains(at);
            if !stays {
                open.gone.send_replace(true);
            }
            stays
        });
        for Wanted { at, door, bound } in wanted {
            match bound {
                Some(listener) => self.start_listener(at, listener, door),
                None => {
                    self.open().get(&at).into_iter().for_each(|open| open.door.store(door.clone()))
                }
            }
        }
    }

    fn start_listener(&self, asked: Endpoint, listener: Listener, door: Arc<Door>) {
        let entrance = self.entrance();
        tracing::info!(listener = %door.name, address = %place(&asked), role = door.role.as_str(), "listening");
        let door = Arc::new(ArcSwap::new(door));
        let gone = watch::Sender::new(false);
        let task = listen::accept(entrance, listener, door.clone(), gone.subscribe());
        self.queue.context.tasks.spawn(task);
        self.open().insert(asked, Open { door, gone });
    }

    /// What every session needs to begin.
    fn entrance(&self) -> Entrance {
        Entrance {
            queue: self.queue.clone(),
            census: self.census.clone(),
            closing: self.closing.subscribe(),
        }
    }

    /// Whether it is ending.
    pub fn is_stopping(&self) -> bool {
        *self.closing.borrow()
    }

    /// Where it listens: address, name, role.
    pub fn listening(&self) -> Vec<(Endpoint, String, &'static str)> {
        let open = self.open();
        open.iter()
            .map(|(address, open)| {
                let door = open.door.load();
                (address.clone(), door.name.clone(), door.role.as_str())
            })
            .collect()
    }

    /// The door of that name; without a name the first one for other servers, else the first.
    pub fn door(&self, name: Option<&str>) -> Option<Arc<Door>> {
        let doors: Vec<_> = self.open().values().map(|open| open.door.load_full()).collect();
        let found = match name {
            Some(name) => doors.iter().find(|door| door.name == name),
            None => doors.iter().find(|door| door.role == Role::Mx).or(doors.first()),
        };
        found.cloned()
    }

    /// Ends in good order: no new sessions and attempts, those under way finish for as long as
    /// `patience` lasts; then the spool writes what it has and closes.
    pub async fn stop(&self, patience: Duration) {
        let context = &self.queue.context;
        tracing::info!(sessions = self.census.all(), "stopping");
        self.closing.send_replace(true);
        self.queue.close();
        let until = tokio::time::Instant::now() + patience;
        while !context.tasks.is_empty() && tokio::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        context.tasks.abort();
        context.policy.close();
        context.spool.close().await;
        if let Some(log) = &context.evidence.log {
            log.close();
        }
        tracing::info!("stopped");
    }

    /// Ends as a power cut does: at once, wherever everything stands.
    pub fn crash(&self) {
        self.queue.context.tasks.abort();
    }

    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<Endpoint, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The back ends, as far as they can be reached: the others are told, and asked when they are needed.
async fn prepare_accounts(world: &World, config: &Compiled) -> Result<Accounts, StartError> {
    let accounts = Accounts::new(world, &config.config.accounts, &config.users)?;
    for told in accounts.prepare().await {
        if let accounts::Verdict::Unavailable(why) = told.verdict {
            tracing::warn!(accounts = told.back_end, why, "can't be asked for now");
        }
    }
    Ok(accounts)
}

/// Where it listens, as people write it.
pub fn place(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Ip(address) => address.to_string(),
        Endpoint::Unix(path) => path.display().to_string(),
    }
}

fn report_opened(opened: &spool::local::Opened) {
    let report = &opened.report;
    for damage in &report.damaged {
        tracing::error!(
            file = damage.file,
            offset = damage.offset,
            length = damage.length,
            id = damage.message.map(|id| id.to_string()),
            "damage in the spool; run `mailwright spool check`"
        );
    }
    for torn in &report.unfinished {
        tracing::info!(
            file = torn.file,
            offset = torn.offset,
            length = torn.length,
            "the last write before the crash was not complete; nobody was told that it was kept"
        );
    }
    tracing::info!(
        jobs = opened.found.len(),
        segments = report.segments,
        orphans = report.orphans,
        "spool opened"
    );
}

/// What is asked at the door, with who we are.
fn door_settings(world: &World, config: &Config) -> Result<policy::Set, policy::PolicyError> {
    let addresses = world.net.addresses_of_this_machine().unwrap_or_else(|error| {
        tracing::warn!(%error, "this machine's addresses can't be listed: only its names are known as ours");
        Vec::new()
    });
    let mut names: Vec<String> = vec![config.hostname.to_ascii_lowercase()];
    let own = config.domains();
    names.extend(own.keys().filter(|name| !name.starts_with('*')).map(|name| name.to_lowercase()));
    let ourselves = policy::Ourselves { names, addresses };
    Ok(policy::Set::new(&*world.disk, config.door.clone(), ourselves)?)
}

/// Without its directory mail still goes, as if no domain had a policy.
fn open_mta_sts(world: &World, config: &Config) -> Option<mta_sts::Store> {
    const HTTPS: u16 = 443;
    match mta_sts::Store::open(world, &config.mta_sts_directory(), HTTPS) {
        Ok(store) => {
            for (domain, why) in &store.unreadable {
                tracing::warn!(
                    domain,
                    why,
                    "a kept MTA-STS policy can't be read: as if there were none"
                );
            }
            Some(store)
        }
        Err(error) => {
            tracing::error!(%error, "MTA-STS policies can't be kept: they are not looked for");
            None
        }
    }
}

/// Statistics: without their directory there are none, and mail goes all the same.
fn open_tls_reports(world: &World, config: &Config) -> Option<tls_reports::Keeper> {
    let settings = &config.tls_reports;
    if !settings.keep {
        return None;
    }
    let directory = config.tls_reports_directory();
    let opened = tls_reports::Keeper::open(world, &directory, settings.age_max);
    opened.map_err(|error| tracing::error!(%error, "TLS sessions can't be counted")).ok()
}

/// Asks for policies again before they expire, whether there is mail or not: else an attacker need only
/// wait for a quiet week.
async fn refresh_mta_sts(queue: Arc<Queue>, mut closing: watch::Receiver<bool>) {
    const EVERY: Duration = Duration::from_secs(3600);
    let Some(store) = &queue.context.mta_sts else { return };
    while tokio::time::timeout(EVERY, closing.changed()).await.is_err() {
        store.refresh(&queue.context.world, queue.context.outgoing_tls().general()).await;
    }
}

fn spool_settings(config: &Config) -> Settings {
    Settings {
        reserve: config.spool.reserve,
        inline_max: config.spool.inline_max,
        segment_size: config.spool.segment_size,
        ..Settings::default()
    }
}

fn open_evidence(
    config: &Config,
    world: &World,
    pace: Pace,
) -> Result<Option<evidence::Log>, evidence::EvidenceError> {
    if !config.evidence.on {
        return Ok(None);
    }
    let settings = evidence::Settings {
        size_max: config.evidence.size_max,
        age_max: config.evidence.age_max,
        ..evidence::Settings::new(config.evidence_directory())
    };
    let (pace, settings) = match pace {
        Pace::Thread => (evidence::Pace::Thread, settings),
        // Virtual weeks would be spent waking up.
        Pace::Task => (
            evidence::Pace::Task,
            evidence::Settings { flush_every: SIMULATED_FLUSH_EVERY, ..settings },
        ),
    };
    evidence::Log::open(world.disk.clone(), world.clock, settings, pace).map(Some)
}
