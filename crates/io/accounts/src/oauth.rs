//! Bearer tokens (RFC 6750), as XOAUTH2 and OAUTHBEARER (RFC 7628) bring them.
//!
//! Either they are checked here, by the keys of their issuer ([`jwt`], RFC 9068's rules as far as they
//! are about trust), or the issuer is asked about each (RFC 7662). Issuer, audience, time and scope have
//! to be right; the user is whom the configured claim names, whatever the client says.

// What reads strangers' octets is open to the fuzz targets.
#[doc(hidden)]
pub mod jwk;
#[doc(hidden)]
pub mod jwt;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};
use transport::{
    ClientTls,
    http::{self, Request, Url},
};
use world::World;

use self::jwk::Keys;
use crate::{Account, Verdict, saslauthd::silent, settings::OAuthSettings};

/// A token of more octets is none that anybody issues.
const TOKEN_MAX: usize = 16 * 1024;
/// Keys and answers are small.
const DOCUMENT_MAX: usize = 256 * 1024;
/// A stranger's token may name any key: they are fetched for it no more often than this.
const REFETCH: Duration = Duration::from_secs(60);

/// A back end.
pub struct OAuth {
    settings: OAuthSettings,
    tls: ClientTls,
    /// Ours, at the issuer.
    secret: String,
    keys: Mutex<Option<Fetched>>,
    /// Held while they are fetched: once for all who wait.
    fetching: AsyncMutex<()>,
}

#[derive(Clone)]
struct Fetched {
    keys: std::sync::Arc<Keys>,
    at: Instant,
}

impl OAuth {
    /// Nothing is fetched yet. `settings` has to be checked.
    pub fn new(settings: OAuthSettings, tls: ClientTls, secret: String) -> Self {
        Self { settings, tls, secret, keys: Mutex::default(), fetching: AsyncMutex::default() }
    }

    /// The scope that tokens have to have, and where clients learn about the issuer.
    pub fn tokens(&self) -> sasl::server::Tokens {
        let OAuthSettings { scope, configuration, .. } = &self.settings;
        sasl::server::Tokens {
            scope: Some(scope.clone()).filter(|scope| !scope.is_empty()),
            configuration: configuration.as_ref().map(ToString::to_string),
        }
    }

    /// Whose token is it? A client that says who it is has to be that one.
    pub async fn verify(&self, world: &World, user: Option<&str>, token: &str) -> Verdict {
        let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/=".contains(&octet);
        if token.len() > TOKEN_MAX || token.is_empty() || !token.bytes().all(fits) {
            return Verdict::no("it is no bearer token");
        }
        let looked = timeout(self.settings.patience, self.look(world, token)).await;
        let verdict = looked.unwrap_or_else(|_| {
            Verdict::Unavailable(silent("the issuer of tokens", self.settings.patience))
        });
        match (verdict, user) {
            (Verdict::Yes(account), Some(user))
                if !user.is_empty() && !user.eq_ignore_ascii_case(&account.name) =>
            {
                Verdict::no(format!("the token is that of {}, not of {user}", account.name))
            }
            (verdict, _) => verdict,
        }
    }

    async fn look(&self, world: &World, token: &str) -> Verdict {
        match (&self.settings.introspection, &self.settings.keys) {
            (Some(url), _) => self.introspect(world, url, token).await,
            (None, Some(url)) => self.check(world, url, token).await,
            (None, None) => Verdict::Unavailable("no way to check tokens is configured".to_owned()),
        }
    }

    async fn introspect(&self, world: &World, url: &Url, token: &str) -> Verdict {
        let form = format!("token={}&token_type_hint=access_token", encoded(token));
        let authorization = self.authorization();
        let request = Request {
            accept: "application/json",
            authorization: authorization.as_deref(),
            form: Some(&form),
            size_max: DOCUMENT_MAX,
            ..Request::get(url)
        };
        let answer = match http::fetch(world, &self.tls, &request).await {
            Ok(response) if response.status == 200 => response.body,
            Ok(response) => return Verdict::Unavailable(format!("{url} says {}", response.status)),
            Err(error) => return Verdict::Unavailable(error.to_string()),
        };
        let Ok(Value::Object(claims)) = serde_json::from_slice(&answer) else {
            return Verdict::Unavailable(format!("what {url} says is no JSON object"));
        };
        if claims.get("active") != Some(&Value::Bool(true)) {
            return Verdict::no("its issuer says that the token is not valid");
        }
        // RFC 7662 section 2.2: issuer and audience are optional there; what is given has to be right.
        let lacking = |name: &str| !claims.contains_key(name);
        let skip_issuer = self.settings.issuer.is_empty() || lacking("iss");
        self.judge(&claims, world.clock.now().0 / 1000, skip_issuer)
    }

    /// RFC 6749 section 2.3.1.
    fn authorization(&self) -> Option<String> {
        let client = &self.settings.client;
        let pair = format!("{}:{}", encoded(client), encoded(&self.secret));
        (!client.is_empty()).then(|| format!("Basic {}", STANDARD.encode(pair)))
    }

    async fn check(&self, world: &World, url: &Url, token: &str) -> Verdict {
        let token = match jwt::Token::parse(token) {
            Ok(token) => token,
            Err(why) => return Verdict::no(why),
        };
        let keys = match self.keys(world, url, token.key()).await {
            Ok(keys) => keys,
            Err(why) => return Verdict::Unavailable(why),
        };
        match token.verify(&keys) {
            Ok(claims) => self.judge(&claims, world.clock.now().0 / 1000, false),
            Err(why) => Verdict::no(why),
        }
    }

    /// The issuer's keys: those that are kept, unless they are old or lack the one that is wanted.
    async fn keys(
        &self,
        world: &World,
        url: &Url,
        wanted: Option<&str>,
    ) -> Result<std::sync::Arc<Keys>, String> {
        if let Some(keys) = self.kept(wanted) {
            return Ok(keys);
        }
        let _fetching = self.fetching.lock().await;
        if let Some(keys) = self.kept(wanted) {
            return Ok(keys);
        }
        let request =
            Request { size_max: DOCUMENT_MAX, accept: "application/json", ..Request::get(url) };
        let fetched = match http::fetch(world, &self.tls, &request).await {
            Ok(response) if response.status == 200 => Keys::parse(&response.body),
            Ok(response) => Err(format!("{url} says {}", response.status)),
            Err(error) => Err(error.to_string()),
        };
        let mut kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        match (fetched, kept.as_mut()) {
            (Ok(keys), _) => {
                let keys = std::sync::Arc::new(keys);
                *kept = Some(Fetched { keys: keys.clone(), at: Instant::now() });
                Ok(keys)
            }
            // Keys outlive an hour in which their server is down.
            (Err(why), Some(old)) => {
                tracing::warn!(why, "the issuer's keys can't be fetched; those before are used");
                old.at = Instant::now();
                Ok(old.keys.clone())
            }
            (Err(why), None) => Err(why),
        }
    }

    fn kept(&self, wanted: Option<&str>) -> Option<std::sync::Arc<Keys>> {
        let kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let age = kept.at.elapsed();
        let is_enough = wanted.is_none_or(|id| kept.keys.has(id)) || age < REFETCH;
        (age < self.settings.keys_keep && is_enough).then_some(kept.keys)
    }

    /// What is claimed, once it is known to be the issuer's word.
    fn judge(&self, claims: &Map<String, Value>, now: u64, skip_issuer: bool) -> Verdict {
        let settings = &self.settings;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(|time| time as u64);
        let leeway = settings.leeway.as_secs();
        if !skip_issuer && text("iss") != Some(settings.issuer.as_str()) {
            let issuer = text("iss").unwrap_or("nobody").escape_debug();
            return Verdict::no(format!("the token is issued by {issuer}"));
        }
        let audience: Vec<&str> = match claims.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !settings.audience.iter().any(|wanted| audience.contains(&wanted.as_str())) {
            return Verdict::no(format!("the token is for {audience:?}"));
        }
        match time("exp") {
            Some(until) if now < until.saturating_add(leeway) => {}
            Some(until) => {
                return Verdict::no(format!("the token has expired {}s ago", now - until));
            }
            None => return Verdict::no("the token never expires"),
        }
        if time("nbf").is_some_and(|from| now.saturating_add(leeway) < from) {
            return Verdict::no("the token is not valid yet");
        }
        let scopes = text("scope").or(text("scp")).unwrap_or_default();
        if !settings.scope.is_empty() && !scopes.split(' ').any(|scope| scope == settings.scope) {
            return Verdict::no(format!("the token lacks the scope {}", settings.scope));
        }
        // OpenID Connect Core section 5.1: an address that nobody has confirmed is just a text.
        if settings.user_claim == "email"
            && claims.get("email_verified") == Some(&Value::Bool(false))
        {
            return Verdict::no("the token's address is not confirmed");
        }
        match text(&settings.user_claim) {
            Some(user) if !user.is_empty() && !user.contains(char::is_control) => {
                Verdict::Yes(Account { name: user.to_owned(), ..Account::default() })
            }
            _ => Verdict::no(format!("the token has no claim `{}`", settings.user_claim)),
        }
    }
}

/// For a form (WHATWG URL, application/x-www-form-urlencoded).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(octet));
            }
            octet => encoded.push_str(&format!("%{octet:02X}")),
        }
    }
    encoded
}
