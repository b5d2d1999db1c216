//! The back ends of a configuration, asked in their order.

use std::{
    fs,
    io::{self, BufRead},
    path::{Path, PathBuf},
    sync::Arc,
};

use sasl::{
    Mechanism, Mechanisms,
    server::{Answer, Ask},
};
use transport::{ClientTls, TlsError};
use world::World;

use crate::{
    Account, Settings, Told, Verdict, Visit,
    certificate::Certificates,
    checkpassword::Checkpassword,
    dovecot::{Dovecot, Relay},
    ldap::Ldap,
    oauth::OAuth,
    saslauthd::Saslauthd,
    users::Users,
};

/// All back ends of a configuration, and those of one listener in their order. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    world: World,
    back_ends: Vec<Arc<BackEnd>>,
}

struct BackEnd {
    name: String,
    kind: Kind,
}

enum Kind {
    Users(Arc<Users>),
    Dovecot(Arc<Dovecot>),
    Ldap(Box<Ldap>),
    Saslauthd(Saslauthd),
    Checkpassword(Checkpassword),
    OAuth(Box<OAuth>),
    Certificates(Certificates),
}

/// Why a back end can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// Its settings.
    #[error("accounts `{name}`: {why}")]
    Settings {
        /// Of the back end.
        name: String,
        /// In one clause.
        why: String,
    },
    /// The issuers that it is to trust.
    #[error("accounts `{name}`: its `authorities` can't be used")]
    Tls {
        /// Of the back end.
        name: String,
        /// Why.
        source: TlsError,
    },
    /// The file of a password or a secret.
    #[error("accounts `{name}`: cannot read `{}`", path.display())]
    Secret {
        /// Of the back end.
        name: String,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What came of a question.
pub struct Answered {
    /// For the exchange.
    pub answer: Answer,
    /// Who it is, or would be if his proof is right.
    pub account: Option<Account>,
    /// What each back end said, for the operator.
    pub told: Vec<Told>,
}

impl Accounts {
    /// Makes them ready; nobody is connected to yet. Reads files of secrets.
    ///
    /// # Errors
    /// What is wrong with which.
    pub fn new(
        world: &World,
        settings: &[Settings],
        users: &Arc<Users>,
    ) -> Result<Self, AccountsError> {
        let users_alone = [Settings::Users(crate::settings::UsersSettings::default())];
        let settings = if settings.is_empty() { &users_alone[..] } else { settings };
        let back_ends = settings.iter().map(|settings| {
            let kind = kind(world, settings, users)?;
            Ok(Arc::new(BackEnd { name: settings.name().to_owned(), kind }))
        });
        Ok(Self { world: world.clone(), back_ends: back_ends.collect::<Result<_, _>>()? })
    }

    /// Without any back end: for sessions in which nobody can sign in.
    pub fn nobody(world: &World) -> Self {
        Self { world: world.clone(), back_ends: Vec::new() }
    }

    /// Those of these names, in that order; all if there are none.
    #[must_use]
    pub fn only(&self, names: &[String]) -> Self {
        if names.is_empty() {
            return self.clone();
        }
        let named = |name: &String| self.back_ends.iter().find(|it| it.name == *name).cloned();
        Self { world: self.world.clone(), back_ends: names.iter().filter_map(named).collect() }
    }

    /// The names of the back ends, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.back_ends.iter().map(|back_end| back_end.name.as_str())
    }

    /// Learns what the back ends have to be asked for: the mechanisms of a Dovecot. One that can't be
    /// reached is told.
    pub async fn prepare(&self) -> Vec<Told> {
        let mut told = Vec::new();
        for back_end in &self.back_ends {
            if let Kind::Dovecot(dovecot) = &back_end.kind
                && let Err(why) = dovecot.prepare().await
            {
                let back_end = back_end.name.clone();
                told.push(Told { back_end, verdict: Verdict::Unavailable(why) });
            }
        }
        told
    }

    /// Every mechanism that some back end can answer.
    pub fn possible(&self) -> Mechanisms {
        self.back_ends.iter().fold(Mechanisms::NONE, |all, it| all.and(it.kind.possible()))
    }

    /// The mechanisms that serve every user who has a password: one that clients prefer, and that only
    /// some users can use, would lock the others out. Those of tokens and certificates don't stand in
    /// anybody's way.
    pub fn fitting(&self) -> Mechanisms {
        let with_passwords = self.back_ends.iter().filter(|it| it.kind.has_passwords());
        let all = Mechanisms::that(|_| true);
        let common = with_passwords.fold(all, |common, it| common.of(it.kind.fitting()));
        self.possible().of(common.and(Mechanisms::that(|row| !is_of_password(row.mechanism))))
    }

    /// The exchange, if Dovecot has to do it: it has the mechanism, and none before it does.
    pub fn relay(&self, mechanism: Mechanism, visit: &Visit) -> Option<Relay> {
        if Mechanisms::BY_PASSWORD.has(mechanism) {
            return None;
        }
        let first = self.back_ends.iter().find(|it| it.kind.possible().has(mechanism))?;
        match &first.kind {
            Kind::Dovecot(dovecot) => Some(Relay::new(dovecot.clone(), mechanism, visit.clone())),
            _ => None,
        }
    }

    /// For clients whose token is refused.
    pub fn tokens(&self) -> sasl::server::Tokens {
        let found = self.back_ends.iter().find_map(|it| match &it.kind {
            Kind::OAuth(oauth) => Some(oauth.tokens()),
            _ => None,
        });
        found.unwrap_or_default()
    }

    /// Answers what an exchange asks. Passwords' hashes are computed where blocking hurts nobody.
    pub async fn ask(&self, ask: &Ask, visit: &Visit) -> Answered {
        match ask {
            Ask::Password { user, password } => match password.text() {
                Some(password) => self.password(user, password, visit).await,
                None => Answered::no(Vec::new()),
            },
            Ask::Token { user, token } => match token.text() {
                Some(token) => self.token(user.as_deref(), token).await,
                None => Answered::no(Vec::new()),
            },
            Ask::Certificate { authorization } => {
                let wanted = authorization.as_deref();
                let asked = self.back_ends.iter().filter_map(|it| match &it.kind {
                    Kind::Certificates(certificates) => {
                        Some((it, certificates.verify(visit.certificate.as_deref(), wanted)))
                    }
                    _ => None,
                });
                Weighed::all(asked).answered()
            }
            Ask::ScramKeys { user, hash } => {
                self.stored(user, |users| users.scram_keys(user, *hash).map(Answer::ScramKeys))
            }
            Ask::SharedSecret { user } => {
                self.stored(user, |users| users.shared_secret(user).map(Answer::Password))
            }
            Ask::NtHash { user, domain } => {
                let whole = format!("{user}@{domain}");
                let of = |name: &str| {
                    self.stored(name, |users| {
                        let hash = users.nt_hash(name)?;
                        Some(Answer::NtHash { user: name.to_owned(), hash })
                    })
                };
                let found = of(user);
                match found.account.is_some() || domain.is_empty() {
                    true => found,
                    false => of(&whole),
                }
            }
            // Who holds a keytab is the session; nobody here knows principals.
            Ask::Principal { .. } | Ask::Gss(_) => Answered::no(Vec::new()),
        }
    }

    /// What is known of a user by his name alone: for a login that was proven elsewhere.
    pub fn known(&self, name: &str) -> Option<Account> {
        self.back_ends.iter().find_map(|it| match &it.kind {
            Kind::Users(users) => it.filled(users.account(name)?),
            _ => None,
        })
    }

    async fn password(&self, name: &str, password: &str, visit: &Visit) -> Answered {
        let mut weighed = Weighed::default();
        for back_end in &self.back_ends {
            let world = &self.world;
            let verdict = match &back_end.kind {
                Kind::Users(users) => users.clone().check(world, name, password).await,
                Kind::Dovecot(dovecot) => dovecot.verify(visit, name, password).await,
                Kind::Ldap(ldap) => ldap.verify(world, name, password).await,
                Kind::Saslauthd(saslauthd) => saslauthd.verify(world, name, password).await,
                Kind::Checkpassword(program) => program.verify(world, name, password).await,
                Kind::OAuth(_) | Kind::Certificates(_) => continue,
            };
            if weighed.add(back_end, verdict) {
                break;
            }
        }
        weighed.answered()
    }

    async fn token(&self, user: Option<&str>, token: &str) -> Answered {
        let mut weighed = Weighed::default();
        for back_end in &self.back_ends {
            let Kind::OAuth(oauth) = &back_end.kind else { continue };
            let verdict = oauth.verify(&self.world, user, token).await;
            if weighed.add(back_end, verdict) {
                break;
            }
        }
        weighed.answered()
    }

    fn stored(&self, name: &str, find: impl Fn(&Users) -> Option<Answer>) -> Answered {
        for back_end in &self.back_ends {
            let Kind::Users(users) = &back_end.kind else { continue };
            if let (Some(account), Some(answer)) = (users.account(name), find(users)) {
                return Answered { answer, account: back_end.filled(account), told: Vec::new() };
            }
        }
        let told = self.back_ends.iter().filter(|it| matches!(it.kind, Kind::Users(_)));
        let why = "there is no such user, or nothing is stored for this mechanism";
        let told = told.map(|it| Told { back_end: it.name.clone(), verdict: Verdict::no(why) });
        Answered::no(told.collect())
    }
}

/// Whether a mechanism proves a password.
fn is_of_password(mechanism: Mechanism) -> bool {
    use Mechanism::{External, Gssapi, OAuthBearer, XOAuth2};
    !matches!(mechanism, External | Gssapi | OAuthBearer | XOAuth2)
}

/// The verdicts so far.
#[derive(Default)]
struct Weighed {
    yes: Option<Account>,
    /// Somebody knows the name, and what others say of it is not heard.
    is_decided: bool,
    is_unavailable: bool,
    told: Vec<Told>,
}

impl Weighed {
    fn all<'a>(verdicts: impl Iterator<Item = (&'a Arc<BackEnd>, Verdict)>) -> Self {
        let mut weighed = Self::default();
        for (back_end, verdict) in verdicts {
            if weighed.add(back_end, verdict) {
                break;
            }
        }
        weighed
    }

    /// Whether no other has to be asked.
    fn add(&mut self, back_end: &BackEnd, verdict: Verdict) -> bool {
        let verdict = match verdict {
            Verdict::Yes(account) => {
                Verdict::Yes(Account { back_end: back_end.name.clone(), ..account })
            }
            other => other,
        };
        if !self.is_decided {
            match &verdict {
                Verdict::Yes(account) => self.yes = Some(account.clone()),
                Verdict::No { is_known, .. } => self.is_decided = *is_known,
                Verdict::Unavailable(_) => self.is_unavailable = true,
            }
        }
        self.told.push(Told { back_end: back_end.name.clone(), verdict });
        self.yes.is_some()
    }

    fn answered(self) -> Answered {
        let answer = match (&self.yes, self.is_decided, self.is_unavailable) {
            (Some(account), ..) => Answer::User(account.name.clone()),
            // Whoever is out of reach might know him, unless one further up does.
            (None, false, true) => Answer::Unavailable,
            _ => Answer::No,
        };
        Answered { answer, account: self.yes, told: self.told }
    }
}

impl Answered {
    fn no(told: Vec<Told>) -> Self {
        Self { answer: Answer::No, account: None, told }
    }
}

impl BackEnd {
    fn filled(&self, account: Account) -> Option<Account> {
        Some(Account { back_end: self.name.clone(), ..account })
    }
}

impl Kind {
    fn has_passwords(&self) -> bool {
        !matches!(self, Self::OAuth(_) | Self::Certificates(_))
    }

    fn possible(&self) -> Mechanisms {
        match self {
            Self::Users(users) => users.mechanisms(false),
            Self::Dovecot(dovecot) => {
                // Bound to a TLS session that Dovecot can't see.
                dovecot.mechanisms().of(Mechanisms::that(|row| !row.inside_tls))
            }
            Self::Ldap(_) | Self::Saslauthd(_) | Self::Checkpassword(_) => Mechanisms::BY_PASSWORD,
            Self::OAuth(_) => {
                Mechanisms::NONE.with(Mechanism::OAuthBearer).with(Mechanism::XOAuth2)
            }
            Self::Certificates(_) => Mechanisms::NONE.with(Mechanism::External),
        }
    }

    fn fitting(&self) -> Mechanisms {
        match self {
            Self::Users(users) => users.mechanisms(true),
            other => other.possible(),
        }
    }
}

fn kind(world: &World, settings: &Settings, users: &Arc<Users>) -> Result<Kind, AccountsError> {
    let name = settings.name();
    let wrong = |why: String| AccountsError::Settings { name: name.to_owned(), why };
    settings.check().map_err(|(why, help)| wrong(format!("{why}; {help}")))?;
    let tls = |authorities: &Option<PathBuf>| {
        let tls = match authorities {
            Some(file) => ClientTls::with_authorities(world, file),
            None => ClientTls::new(world),
        };
        tls.map_err(|source| AccountsError::Tls { name: name.to_owned(), source })
    };
    let secret = |path: &Option<PathBuf>| match path {
        Some(path) => first_line(path).map_err(|source| AccountsError::Secret {
            name: name.to_owned(),
            path: path.clone(),
            source,
        }),
        None => Ok(String::new()),
    };
    Ok(match settings {
        Settings::Users(_) => Kind::Users(users.clone()),
        Settings::Dovecot(it) => Kind::Dovecot(Arc::new(Dovecot::new(world.clone(), it.clone()))),
        Settings::Ldap(it) => {
            let (tls, password) = (tls(&it.authorities)?, secret(&it.password_file)?);
            Kind::Ldap(Box::new(Ldap::new(it.clone(), tls, password).map_err(wrong)?))
        }
        Settings::Saslauthd(it) => Kind::Saslauthd(Saslauthd::new(it.clone())),
        Settings::Checkpassword(it) => Kind::Checkpassword(Checkpassword::new(it.clone())),
        Settings::OAuth(it) => {
            let (tls, secret) = (tls(&it.authorities)?, secret(&it.secret_file)?);
            Kind::OAuth(Box::new(OAuth::new(it.clone(), tls, secret)))
        }
        Settings::Certificates(it) => Kind::Certificates(it.clone()),
    })
}

/// Part of the configuration, read like it.
fn first_line(path: &Path) -> io::Result<String> {
    let file = fs::File::open(path)?;
    let mut line = String::new();
    io::BufReader::new(file).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
