//! The configuration as the running server asks it: for each recipient, next hop and client.
//!
//! A domain is looked up by its exact name first, then by the longest `*.suffix`, whatever the case. No
//! lookup allocates, but those of names that are not lower case.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    path::PathBuf,
    sync::Arc,
};

use smtp::{Address, Recipient, Timestamp};

use super::{
    Config, Domain, DomainKind, Limits, Listener, Mailboxes, Network, Problem, Retry, Route, Site,
    User, domain,
    users::{HashError, Users},
};

/// Made of a [`Config`] that was checked, with defaults filled in.
#[derive(Debug)]
pub struct Compiled {
    /// What it was made of.
    pub config: Config,
    /// The listeners in effect, each with its limits.
    pub listeners: Vec<(Listener, Limits)>,
    /// Who may authenticate: those of the file and of the users file.
    pub users: Arc<Users>,
    domains: Patterns<LocalParts>,
    /// Explicit routes, and those of domains with a next hop of their own.
    routes: Patterns<Arc<Route>>,
    everything_else: Arc<Route>,
    sites: Patterns<Site>,
    relay_networks: Vec<Network>,
    postmaster: Address,
}

/// What becomes of a recipient.
#[derive(Debug, PartialEq)]
pub enum Disposition<'c> {
    /// Into a Maildir of this machine: see [`Compiled::maildir`].
    Local(&'c Domain),
    /// To these instead; aliases of aliases are followed already, so ask [`Compiled::resolved`] about each.
    Alias(&'c [Address]),
    /// On to the next hop of the domain's route.
    Route(&'c Arc<Route>),
    /// Our domain, but no such mailbox: 550 5.1.1.
    Unknown,
    /// Not our domain: for those who may relay.
    NotOurs(&'c Arc<Route>),
}

/// One domain, its local-parts ready to be looked up. All keys are lower case.
#[derive(Debug)]
struct LocalParts {
    domain: Domain,
    /// `None`: any.
    mailboxes: Option<Vec<Box<str>>>,
    refuse: Vec<Box<str>>,
    aliases: BTreeMap<Box<str>, Vec<Address>>,
    catch_all: Vec<Address>,
    /// Since when mailboxes have had their owners.
    since: BTreeMap<Box<str>, Timestamp>,
}

impl Compiled {
    /// Fills in defaults and makes tables. `more` are the users of the users file.
    pub fn new(config: Config, more: BTreeMap<String, User>) -> Result<Self, CompileError> {
        let limits = |listener: Listener| {
            let limits = listener.limits.clone().unwrap_or_else(|| config.limits.clone());
            (listener, limits)
        };
        let domains = config.domains();
        let postmaster = postmaster(&config, &domains)?;
        let mut users = more;
        users.extend(config.users.clone());
        Ok(Self {
            listeners: config.listeners().into_iter().map(limits).collect(),
            users: Arc::new(Users::new(users)?),
            routes: routes(&config, &domains),
            domains: compile_domains(&config, domains)?,
            everything_else: Arc::new(config.default_route.clone().unwrap_or_default()),
            sites: sites(&config),
            relay_networks: config.relay_networks(),
            postmaster,
            config,
        })
    }

    /// Follows a domain's aliases, for the check of a file.
    pub(super) fn resolve(config: &Config, domain: &str) -> Result<(), CompileError> {
        let domains = config.domains();
        match domains.get(domain) {
            Some(found) => local_parts(domain, found.clone(), &domains).map(|_| ()),
            None => Ok(()),
        }
    }

    /// The domain, if mail is accepted for it.
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.find(name).map(|found| &found.domain)
    }

    /// Whether a domain is whole: one of several labels, an address literal, or one that this configuration
    /// names.
    pub fn is_complete(&self, domain: &str) -> bool {
        domain.contains(['.', '['])
            || self.domain(domain).is_some()
            || self.routes.find(domain).is_some()
    }

    /// How mail for a domain travels.
    pub fn route(&self, domain: &str) -> &Arc<Route> {
        self.routes.find(domain).unwrap_or(&self.everything_else)
    }

    /// What differs at a host of that name.
    pub fn site(&self, host: &str) -> Option<&Site> {
        self.sites.find(host)
    }

    /// The schedule of a route.
    pub fn retry<'c>(&'c self, route: &'c Route) -> &'c Retry {
        route.retry.as_ref().unwrap_or(&self.config.retry)
    }

    /// Whether a client may relay to anywhere at every listener. (One listener's own trusted networks:
    /// [`Listener::trusts`].)
    pub fn may_relay(&self, client: IpAddr) -> bool {
        self.relay_networks.iter().any(|network| network.contains(client))
    }

    /// Who gets mail for the bare `postmaster`, and double bounces.
    pub fn postmaster(&self) -> &Address {
        &self.postmaster
    }

    /// What becomes of a recipient that a client names.
    pub fn recipient(&self, address: &Address) -> Disposition<'_> {
        if address.domain().is_empty() {
            // The bare postmaster of RFC 5321 section 4.5.1.
            return Disposition::Alias(std::slice::from_ref(&self.postmaster));
        }
        let Some(found) = self.domains.find(address.domain()) else {
            return Disposition::NotOurs(self.route(address.domain()));
        };
        let local_part = address.local_part_unquoted();
        let local_part = lower(&local_part);
        if let Some(targets) = found.aliases.get(local_part.as_ref()) {
            return Disposition::Alias(targets);
        }
        match self.in_domain(found, &local_part, address) {
            Disposition::Unknown if !found.catch_all.is_empty() => {
                Disposition::Alias(&found.catch_all)
            }
            disposition => disposition,
        }
    }

    /// Whether there is anything to judge RRVS by (RFC 7293).
    pub fn knows_owners(&self) -> bool {
        self.config.domains.values().any(|domain| !domain.mailbox_since.is_empty())
    }

    /// Since when a mailbox of ours has had its owner, where that is configured.
    pub fn owned_since(&self, address: &Address) -> Option<Timestamp> {
        let found = self.domains.find(address.domain())?;
        found.since.get(lower(&address.local_part_unquoted()).as_ref()).copied()
    }

    /// Whether a mailbox has the owner whom mail for it is meant for, as far as that is said and known (RFC 7293).
    pub fn is_its_owner(&self, recipient: &Recipient) -> bool {
        let since = recipient.valid_since.zip(self.owned_since(&recipient.forward_path));
        since.is_none_or(|(wanted, owned)| wanted.at >= owned)
    }

    /// Whether an address of ours is named in the configuration, as a mailbox or an alias: then its
    /// local-part is a name, whatever characters it has.
    pub fn names(&self, address: &Address) -> bool {
        let Some(found) = self.domains.find(address.domain()) else { return false };
        let local_part = address.local_part_unquoted();
        let local_part = lower(&local_part);
        let listed = |list: &Vec<Box<str>>| list.iter().any(|name| **name == *local_part);
        found.aliases.contains_key(local_part.as_ref())
            || found.mailboxes.as_ref().is_some_and(listed)
    }

    /// What becomes of an address that an alias or catch-all led to: never another alias.
    pub fn resolved(&self, address: &Address) -> Disposition<'_> {
        match self.domains.find(address.domain()) {
            None => Disposition::NotOurs(self.route(address.domain())),
            Some(found) => self.in_domain(found, &lower(&address.local_part_unquoted()), address),
        }
    }

    fn in_domain<'c>(
        &'c self,
        found: &'c LocalParts,
        local_part: &str,
        address: &Address,
    ) -> Disposition<'c> {
        match (found.has(local_part), found.domain.kind) {
            (true, DomainKind::Local) => Disposition::Local(&found.domain),
            (true, _) => Disposition::Route(self.route(address.domain())),
            (false, _) => Disposition::Unknown,
        }
    }

    /// The Maildir of a local mailbox. `None` if the domain is not local or the local-part makes no safe
    /// directory name.
    pub fn maildir(&self, address: &Address) -> Option<PathBuf> {
        let domain = self.domain(address.domain())?;
        let user = address.local_part_unquoted();
        let user = lower(&user);
        let name = lower(address.domain());
        if domain.kind != DomainKind::Local || !is_safe_name(&user) || !is_safe_name(&name) {
            return None;
        }
        Some(match &domain.maildir {
            Some(path) => PathBuf::from(path.replace("{domain}", &name).replace("{user}", &user)),
            None => self.config.data.join("mail").join(&*name).join(&*user),
        })
    }
}

impl LocalParts {
    /// `local_part` is lower case.
    fn has(&self, local_part: &str) -> bool {
        let listed = |list: &[Box<str>]| list.iter().any(|name| **name == *local_part);
        if local_part == "postmaster" && !listed(&self.refuse) {
            // RFC 5321 section 4.5.1: every domain has one.
            return true;
        }
        let exists = match &self.mailboxes {
            Some(mailboxes) => listed(mailboxes),
            None => self.domain.kind != DomainKind::Local || is_safe_name(local_part),
        };
        exists && !listed(&self.refuse)
    }
}

/// Why a configuration can't be made use of.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Something that the check of the file reports with its place.
    #[error("{}", .0.message)]
    Problem(Problem),
    /// See there.
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// An address with a domain.
pub(super) fn address(text: &str) -> Result<Address, CompileError> {
    let wrong = |why: String| {
        let problem = Problem::new(format!("`{text}` is no address{why}"));
        CompileError::Problem(problem.help("write it like `anna@example.org`"))
    };
    let address: Address = text.parse().map_err(|error| wrong(format!(": {error}")))?;
    match address.domain().is_empty() {
        true => Err(wrong(String::new())),
        false => Ok(address),
    }
}

fn postmaster(
    config: &Config,
    domains: &BTreeMap<String, Domain>,
) -> Result<Address, CompileError> {
    if let Some(configured) = &config.dsn.postmaster {
        return address(configured);
    }
    let hostname = config.hostname.to_ascii_lowercase();
    let ours = |name: &&String| name.eq_ignore_ascii_case(&hostname);
    let named = || domains.iter().filter(|(name, _)| !name.starts_with("*."));
    // A domain that is only relayed, or a customer's, has a postmaster of its own.
    let local = || named().find(|(_, domain)| domain.kind == DomainKind::Local).or(named().next());
    let domain = domains.keys().find(ours).or_else(|| local().map(|(name, _)| name));
    address(&format!("postmaster@{}", domain.unwrap_or(&hostname)))
}

fn routes(config: &Config, domains: &BTreeMap<String, Domain>) -> Patterns<Arc<Route>> {
    let mut routes = Patterns::default();
    for (pattern, domain) in domains {
        let next_hop = match domain.kind {
            DomainKind::Local | DomainKind::Relay | DomainKind::Odmr => continue,
            DomainKind::Smtp => domain.next_hop.clone(),
            DomainKind::Lmtp => {
                domain.next_hop.iter().filter_map(|hop| hop.clone().into_lmtp()).collect()
            }
        };
        routes.insert(pattern, Arc::new(Route { next_hop, ..Route::default() }));
    }
    for (pattern, route) in &config.routes {
        routes.insert(pattern, Arc::new(route.clone()));
    }
    routes
}

fn sites(config: &Config) -> Patterns<Site> {
    let mut sites = Patterns::default();
    for (pattern, site) in &config.sites {
        sites.insert(pattern, site.clone());
    }
    sites
}

fn compile_domains(
    config: &Config,
    domains: BTreeMap<String, Domain>,
) -> Result<Patterns<LocalParts>, CompileError> {
    let mut compiled = Patterns::default();
    for pattern in &config.relay.domains {
        let domain = Domain { kind: DomainKind::Relay, ..Domain::default() };
        compiled.insert(pattern, local_parts(pattern, domain, &domains)?);
    }
    for (pattern, domain) in &domains {
        compiled.insert(pattern, local_parts(pattern, domain.clone(), &domains)?);
    }
    Ok(compiled)
}

fn local_parts(
    name: &str,
    domain: Domain,
    all: &BTreeMap<String, Domain>,
) -> Result<LocalParts, CompileError> {
    let lowered = |list: &[String]| list.iter().map(|text| text.to_lowercase().into()).collect();
    let resolve = |targets: &[String]| -> Result<Vec<Address>, CompileError> {
        let mut resolved = Vec::new();
        for target in targets {
            expand(&qualified(target, name), all, &mut Vec::new(), &mut resolved)?;
        }
        resolved.dedup();
        Ok(resolved)
    };
    let aliases = domain.aliases.iter();
    Ok(LocalParts {
        mailboxes: match &domain.mailboxes {
            Mailboxes::Any => None,
            Mailboxes::Listed(list) => Some(lowered(list)),
        },
        refuse: lowered(&domain.refuse),
        aliases: aliases
            .map(|(from, to)| {
                let own = qualified(from, name);
                let mut resolved = Vec::new();
                for target in to {
                    expand(&qualified(target, name), all, &mut vec![own.clone()], &mut resolved)?;
                }
                Ok((from.to_lowercase().into(), resolved))
            })
            .collect::<Result<_, CompileError>>()?,
        catch_all: resolve(&domain.catch_all)?,
        since: domain
            .mailbox_since
            .iter()
            .filter_map(|(name, since)| Some((name.to_lowercase().into(), domain::since(since)?)))
            .collect(),
        domain,
    })
}

/// An alias target with its domain, lower case where that is ours to say.
fn qualified(target: &str, domain: &str) -> String {
    match target.contains('@') {
        true => target.to_owned(),
        false => format!("{target}@{domain}"),
    }
}

/// Follows aliases of our domains to addresses that are none. `path` is the way here: an alias met twice
/// is a loop, but one that names itself keeps a copy (`info = ["info", "archive@..."]`).
fn expand(
    target: &str,
    all: &BTreeMap<String, Domain>,
    path: &mut Vec<String>,
    resolved: &mut Vec<Address>,
) -> Result<(), CompileError> {
    let parts = target.rsplit_once('@');
    let further = parts.and_then(|(local_part, domain)| {
        let (_, domain) = all.iter().find(|(name, _)| name.eq_ignore_ascii_case(domain))?;
        let mut aliases = domain.aliases.iter();
        aliases.find(|(name, _)| name.eq_ignore_ascii_case(local_part)).map(|(_, to)| to)
    });
    let names_itself = path.last().is_some_and(|last| last.eq_ignore_ascii_case(target));
    let (Some(further), false) = (further, names_itself) else {
        let address = address(target)?;
        if !resolved.contains(&address) {
            resolved.push(address);
        }
        return Ok(());
    };
    if path.iter().any(|step| step.eq_ignore_ascii_case(target)) {
        let way = path.join(" -> ");
        let problem = Problem::new(format!("aliases form a loop: {way} -> {target}"));
        return Err(CompileError::Problem(problem.help("let one of them name a mailbox")));
    }
    path.push(target.to_owned());
    let domain = parts.map_or("", |(_, domain)| domain);
    for next in further {
        expand(&qualified(next, domain), all, path, resolved)?;
    }
    path.pop();
    Ok(())
}

/// Whether a text is safe as the name of a directory: letters, digits, `.`, `_`, `-`, `+`, `=`, `%`, and
/// what UTF-8 has beyond ASCII; no dot in front (`..`, hidden files).
fn is_safe_name(text: &str) -> bool {
    let safe = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "._-+=%".contains(c),
        false => c.is_alphanumeric(),
    };
    !text.is_empty() && text.len() <= 200 && !text.starts_with(['.', '-']) && text.chars().all(safe)
}

/// Allocates only where there is something to change.
fn lower(text: &str) -> Cow<'_, str> {
    match text.bytes().all(|octet| octet.is_ascii() && !octet.is_ascii_uppercase()) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.to_lowercase()),
    }
}

/// A table by domain name and `*.suffix`.
#[derive(Debug)]
struct Patterns<T> {
    exact: HashMap<Box<str>, T, ahash::RandomState>,
    /// By what stands behind `*.`.
    suffixes: HashMap<Box<str>, T, ahash::RandomState>,
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self { exact: HashMap::default(), suffixes: HashMap::default() }
    }
}

impl<T> Patterns<T> {
    /// The later one counts.
    fn insert(&mut self, pattern: &str, value: T) {
        let pattern = lower(pattern);
        match pattern.strip_prefix("*.") {
            Some(suffix) => self.suffixes.insert(suffix.into(), value),
            None => self.exact.insert(pattern.as_ref().into(), value),
        };
    }

    fn find(&self, name: &str) -> Option<&T> {
        let name = lower(name.strip_suffix('.').unwrap_or(name));
        if let Some(found) = self.exact.get(name.as_ref()) {
            return Some(found);
        }
        if self.suffixes.is_empty() {
            return None;
        }
        let mut rest: &str = &name;
        while let Some((_, suffix)) = rest.split_once('.') {
            if let Some(found) = self.suffixes.get(suffix) {
                return Some(found);
            }
            rest = suffix;
        }
        None
    }
}
