//! One exchange of tokens with one peer, from either side.

use std::{ffi::CString, fmt, os::unix::ffi::OsStrExt, path::PathBuf};

use crate::{
    library::{Credential, Form, Library, Name, Security, Usage},
    trouble::{Reason, Trouble},
};

/// What a server has to show: the keys of its service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keytab {
    /// Where they are.
    pub file: PathBuf,
    /// `smtp@host`; without the host any `smtp/...` of the keytab will do.
    pub service: String,
}

/// What a client has to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tickets {
    /// Whose: `mailer@EXAMPLE.TEST`. Without: whose ticket or key there is.
    pub principal: Option<String>,
    /// A cache with a ticket, as Kerberos names them (`FILE:/run/mailwright/tickets`).
    pub cache: Option<String>,
    /// A keytab with the principal's own key; tickets are then got as they are needed.
    pub keytab: Option<PathBuf>,
}

/// What a step gave.
#[derive(Clone, PartialEq, Eq)]
pub struct Step {
    /// For the other side. May be empty: then SASL sends a line of no octets, if it is our turn at all.
    pub token: Vec<u8>,
    /// Both sides know each other; messages can be wrapped.
    pub established: bool,
}

/// An exchange. One failed step ends it.
pub struct Context {
    side: Side,
    security: Security,
    bindings: Option<Vec<u8>>,
    established: bool,
    peer: Option<Name>,
}

enum Side {
    Initiator { credential: Credential, target: Name },
    Acceptor { credential: Credential },
}

impl Context {
    /// For a server. `bindings` is what the TLS connection is known by, with its prefix (RFC 5929); a
    /// client that sends none is let in all the same.
    ///
    /// # Errors
    /// There is no library, or the keytab has no key for the service.
    pub fn accepting(keytab: &Keytab, bindings: Option<Vec<u8>>) -> Result<Self, Trouble> {
        let library = Library::load()?;
        // The library itself tells a missing keytab from one without the key only in its words.
        std::fs::File::open(&keytab.file).map_err(|error| Trouble {
            reason: Reason::KeytabUnreadable,
            words: format!("{}: {error}", keytab.file.display()),
        })?;
        let name = library.name(&keytab.service, Form::HostBased)?;
        let file = text(keytab.file.as_os_str().as_bytes())?;
        let store = [(&c"keytab".to_owned(), &file)];
        let credential =
            library.credential(Some(&name), Usage::Accept, &store).map_err(|trouble| {
                // That no credential is there means at this place that the keytab lacks the key.
                let reason = match trouble.reason {
                    Reason::NoTicket | Reason::NotInKeytab => Reason::NoServiceKey,
                    reason => reason,
                };
                Trouble { reason, ..trouble }
            })?;
        Ok(Self::new(library, Side::Acceptor { credential }, bindings))
    }

    /// For a client, to log in at `smtp` on that host.
    ///
    /// # Errors
    /// There is no library, or no ticket and nothing to get one with. The KDC may be asked.
    pub fn initiating(
        tickets: &Tickets,
        host: &str,
        bindings: Option<Vec<u8>>,
    ) -> Result<Self, Trouble> {
        let library = Library::load()?;
        let principal = tickets.principal.as_deref();
        let name = principal.map(|name| library.name(name, Form::Principal)).transpose()?;
        let (cache_key, keytab_key) = (c"ccache".to_owned(), c"client_keytab".to_owned());
        let cache = tickets.cache();
        let cache = cache.map(|cache| text(cache.as_bytes())).transpose()?;
        let keytab = tickets.keytab.as_ref().map(|file| text(file.as_os_str().as_bytes()));
        let keytab = keytab.transpose()?;
        let mut store = Vec::new();
        store.extend(cache.as_ref().map(|cache| (&cache_key, cache)));
        store.extend(keytab.as_ref().map(|keytab| (&keytab_key, keytab)));
        let credential = library.credential(name.as_ref(), Usage::Initiate, &store);
        // A key that does not fit is here the one that we get tickets with.
        let credential = credential.map_err(|trouble| match trouble.reason {
            Reason::WrongKey => Trouble { reason: Reason::ClientKey, ..trouble },
            _ => trouble,
        })?;
        let target = library.name(&format!("smtp@{host}"), Form::HostBased)?;
        Ok(Self::new(library, Side::Initiator { credential, target }, bindings))
    }

    fn new(library: &'static Library, side: Side, bindings: Option<Vec<u8>>) -> Self {
        Self { side, security: library.context(), bindings, established: false, peer: None }
    }

    /// What the other side sent; nothing for a client's first step.
    ///
    /// # Errors
    /// The exchange has failed.
    pub fn step(&mut self, token: &[u8]) -> Result<Step, Trouble> {
        if self.established {
            return Err(Self::early("a token after the context was established"));
        }
        let bindings = self.bindings.as_deref();
        let stepped = match &self.side {
            Side::Initiator { credential, target } => {
                self.security.initiate(credential, target, token, bindings)?
            }
            Side::Acceptor { credential } => {
                // The library says of it only that it failed, as it does where this machine is at fault.
                if !is_whole(token) {
                    return Err(Self::early("a token that is cut short, or has no frame"));
                }
                let accepted = self.security.accept(credential, token, bindings);
                // We have a key, of Kerberos: a token of another mechanism is what there is none for.
                let (stepped, peer) = accepted.map_err(|trouble| match trouble.reason {
                    Reason::NoTicket => Trouble { reason: Reason::BadToken, ..trouble },
                    _ => trouble,
                })?;
                self.peer = Some(peer);
                stepped
            }
        };
        self.established = stepped.established;
        Ok(Step { token: stepped.token, established: stepped.established })
    }

    /// A message that the other side can tell to be ours.
    ///
    /// # Errors
    /// The context is not established, or the library failed.
    pub fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, Trouble> {
        self.ready()?;
        self.security.wrap(message)
    }

    /// The message in what the other side wrapped.
    ///
    /// # Errors
    /// The context is not established, or the message is not the other side's.
    pub fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>, Trouble> {
        self.ready()?;
        self.security.unwrap(token)
    }

    /// The client's principal (`anna@EXAMPLE.TEST`), to the server, once the context is established.
    ///
    /// # Errors
    /// It is not, or this is the client.
    pub fn peer(&self) -> Result<String, Trouble> {
        self.ready()?;
        self.peer.as_ref().ok_or_else(|| Self::early("no client"))?.text()
    }

    fn ready(&self) -> Result<(), Trouble> {
        match self.established {
            true => Ok(()),
            false => Err(Self::early("a message before the context was established")),
        }
    }

    fn early(words: &str) -> Trouble {
        Trouble { reason: Reason::BadToken, words: words.to_owned() }
    }
}

impl Tickets {
    /// Where tickets are. Those got with a keytab stay in this process's memory, one cache for each
    /// keytab and principal.
    fn cache(&self) -> Option<String> {
        if self.cache.is_some() {
            return self.cache.clone();
        }
        let keytab = self.keytab.as_ref()?;
        let principal = self.principal.as_deref().unwrap_or_default();
        Some(format!("MEMORY:mailwright {principal} {}", keytab.display()))
    }
}

/// Whether a token has the frame of RFC 2743 section 3.1 around it, and all that the frame promises.
fn is_whole(token: &[u8]) -> bool {
    let Some(([0x60, length], rest)) = token.split_first_chunk() else { return false };
    match length {
        0..=0x7f => rest.len() == usize::from(*length),
        // Of the long form, one to four octets say the length.
        0x81..=0x84 => {
            let Some((octets, rest)) = rest.split_at_checked(usize::from(length & 0x7f)) else {
                return false;
            };
            octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)) == rest.len()
        }
        _ => false,
    }
}

fn text(octets: &[u8]) -> Result<CString, Trouble> {
    let trouble =
        |_| Trouble { reason: Reason::Other, words: "a path with a NUL in it".to_owned() };
    CString::new(octets).map_err(trouble)
}

/// Shows no octet of a token.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, established } = self;
        write!(f, "Step {{ {} octets, established: {established} }}", token.len())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Initiator { .. } => "initiator",
            Side::Acceptor { .. } => "acceptor",
        };
        f.debug_struct("Context")
            .field("side", &side)
            .field("established", &self.established)
            .finish_non_exhaustive()
    }
}
