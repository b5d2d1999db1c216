//! From a target to a session: connect, handshake, greeting, EHLO, STARTTLS, AUTH.
//!
//! What is asked of TLS is the target's [`Policy`].
//!
//! | trouble                                  | TLS opportunistic                  | else   |
//! |------------------------------------------|------------------------------------|--------|
//! | STARTTLS not offered, or refused         | on in clear, same connection       | fails  |
//! | STARTTLS or handshake breaks the session | once more from the start, in clear | fails  |
//! | credentials that may not go in clear     | fails                              | fails  |

use std::{io, sync::Arc, time::Duration};

use smtp::{
    Cause, Party, Stage, TlsFacts, Transcript, Trouble,
    client::{Client, Features, Output},
};
use tokio::time::{Instant, timeout};
use world::{
    World,
    net::{Connect, Endpoint, Stream},
};

use crate::{
    drive::Driver,
    login,
    plan::{Learned, Plan, Target},
    policy::{Demand, Policy, TlsResult},
    session::{Failure, Session},
    tls::{self, ClientTls},
    wire::Wire,
};

/// Connects and goes on until a transaction can start: greeting, EHLO (or HELO), TLS, AUTH.
///
/// Where TLS is opportunistic and breaks, connects once more and goes on in clear: the transcript
/// says so, and [`Session::learned`].
///
/// # Errors
/// Where and why it ended, with all that was said.
pub async fn open(
    world: &World,
    tls: &ClientTls,
    target: &Target,
    plan: &Plan,
) -> Result<Session, Failure> {
    let policy = plan.policy(target);
    let tls = plan.tls_own.as_ref().unwrap_or(tls);
    let opening = Opening { world, tls, target, plan, policy, origin: Instant::now() };
    if let Demand::Unusable { cause, result } = &opening.policy.demand {
        return Err(opening.unusable(cause, *result));
    }
    let clear_allowed = plan.may_go_in_clear(&opening.policy.demand);
    let broken = match opening.once(Features::NONE).await {
        Err(failure) if clear_allowed && is_about_tls(&failure.cause) => failure,
        other => return other,
    };
    let reason = format!("it breaks at {}: {}", broken.cause.stage, broken.cause.trouble);
    let mut before = broken.transcript;
    before.record(
        opening.origin.elapsed(),
        Party::Note,
        format!("STARTTLS: {reason}; once more, in clear"),
    );
    let mut learned = Learned::default();
    learned.broke(Features::STARTTLS, reason);
    match opening.once(Features::STARTTLS).await {
        Ok(mut session) => {
            session.before = before;
            session.learned = learned;
            session.tls_result = broken.tls_result;
            Ok(session)
        }
        Err(mut failure) => {
            before.extend(&failure.transcript);
            failure.transcript = before;
            failure.learned = learned;
            failure.tls_result = broken.tls_result;
            Err(failure)
        }
    }
}

/// Opens a session over a connection that is there already, whose other end greets us: after ATRN (RFC
/// 2645), the roles are swapped on it. `tls` is what stands on it; no further TLS is begun.
///
/// # Errors
/// Where and why it ended, with all that was said.
pub async fn over(
    world: &World,
    wire: Wire,
    target: &Target,
    plan: &Plan,
    tls: Option<TlsFacts>,
) -> Result<Session, Failure> {
    let origin = Instant::now();
    let mut obeyed = plan.for_machine(&Demand::Clear, Features::STARTTLS);
    obeyed.under_tls = tls.is_some();
    let mut client = Client::new(Arc::new(obeyed), Duration::ZERO);
    client.note(Duration::ZERO, format!("the roles were swapped with {target}"));
    if let Some(facts) = tls {
        client.tls_established(Duration::ZERO, facts);
    }
    let mut driver = Driver::new(client, wire, origin);
    let (cause, permanent) = loop {
        match driver.next().await {
            Output::Ready => return Ok(Session::new(driver, target.clone())),
            Output::SignIn => login::sign_in(world, target, &mut driver),
            Output::Gss(ask) => login::gss(world, &plan.tickets, target, &mut driver, ask).await,
            Output::Salt(salting) => login::salt(world, &mut driver, salting).await,
            Output::Failed { cause, permanent } => break (cause, permanent),
            Output::Close => {
                break (Cause { stage: Stage::Other, trouble: Trouble::Closed }, false);
            }
            _ => {}
        }
    };
    while driver.next().await != Output::Close {}
    Err(Failure {
        cause,
        permanent,
        transcript: driver.client.transcript().clone(),
        tls: driver.client.tls().cloned(),
        tls_result: None,
        address: target.endpoint.socket(),
        learned: Learned::default(),
    })
}

fn is_about_tls(cause: &Cause) -> bool {
    matches!(cause.stage, Stage::StartTls | Stage::Tls)
}

struct Opening<'a> {
    world: &'a World,
    tls: &'a ClientTls,
    target: &'a Target,
    plan: &'a Plan,
    policy: Arc<Policy>,
    origin: Instant,
}

/// What the handshake of one connection came to.
#[derive(Default)]
struct Shaken {
    /// What was seen, where it broke.
    facts: Option<Box<TlsFacts>>,
    result: Option<TlsResult>,
}

impl Opening<'_> {
    async fn once(&self, avoid: Features) -> Result<Session, Failure> {
        let stream = self.connect().await.map_err(|text| self.not_connected(text))?;
        let remark = self.connected(&stream);
        let plan = self.plan.for_machine(&self.policy.demand, avoid);
        let mut client = Client::new(Arc::new(plan), self.origin.elapsed());
        client.note(self.origin.elapsed(), remark);
        let mut driver = Driver::new(client, Wire::Plain(stream), self.origin);
        let mut shaken = Shaken::default();
        if self.plan.implicit_tls {
            shaken = self.handshake(&mut driver).await;
        }
        loop {
            match driver.next().await {
                Output::Ready => {
                    let mut session = Session::new(driver, self.target.clone());
                    session.policy = Arc::clone(&self.policy);
                    session.tls_result = shaken.result.or_else(|| {
                        let in_clear = session.tls().is_none();
                        in_clear.then_some(TlsResult::StarttlsNotSupported)
                    });
                    return Ok(session);
                }
                Output::StartTls => shaken = self.handshake(&mut driver).await,
                Output::SignIn => login::sign_in(self.world, self.target, &mut driver),
                Output::Salt(salting) => login::salt(self.world, &mut driver, salting).await,
                Output::Gss(ask) => {
                    let Self { world, plan, target, .. } = self;
                    login::gss(world, &plan.tickets, target, &mut driver, ask).await;
                }
                Output::Failed { cause, permanent } => {
                    return Err(self.failure(driver, cause, permanent, shaken).await);
                }
                Output::Close => {
                    let cause = Cause { stage: Stage::Other, trouble: Trouble::Closed };
                    return Err(self.failure(driver, cause, false, shaken).await);
                }
                Output::Content(_) | Output::Finished(_) | Output::Replied(_) => {}
            }
        }
    }

    async fn connect(&self) -> Result<Stream, String> {
        let wait = self.plan.connect_timeout;
        let connected = match &self.target.endpoint {
            Endpoint::Ip(to) => {
                let source = self.plan.source_for(to.ip());
                let connect = Connect { to: *to, source, timeout: wait };
                self.world.net.connect(connect).await
            }
            Endpoint::Unix(path) => {
                let connecting = timeout(wait, self.world.net.connect_unix(path));
                connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
        };
        connected.map_err(|error| self.connect_trouble(&error, wait))
    }

    /// In an administrator's words.
    fn connect_trouble(&self, error: &io::Error, wait: Duration) -> String {
        let target = self.target;
        let to = target.endpoint.ip();
        match (error.kind(), to.and_then(|to| self.plan.source_for(to))) {
            (io::ErrorKind::ConnectionRefused, _) => format!("connection refused by {target}"),
            (io::ErrorKind::ConnectionReset, _) => format!("connection reset by {target}"),
            (io::ErrorKind::TimedOut, _) => {
                format!("no answer from {target} in {}s", wait.as_secs())
            }
            (io::ErrorKind::HostUnreachable, _) => {
                format!("no route to {target}: host unreachable")
            }
            (io::ErrorKind::NetworkUnreachable, _) => {
                format!("no route to {target}: network unreachable")
            }
            (io::ErrorKind::AddrNotAvailable, Some(source)) => {
                format!(
                    "cannot connect to {target} from {source}, which is no address of this machine"
                )
            }
            (io::ErrorKind::PermissionDenied, _) => {
                format!("this machine forbids the connection to {target} (firewall or permissions)")
            }
            (io::ErrorKind::NotFound, _) => format!("there is no socket at {target}"),
            (io::ErrorKind::InvalidInput, _) => error.to_string(),
            _ => format!("cannot connect to {target}: {error}"),
        }
    }

    fn connected(&self, stream: &Stream) -> String {
        match stream.local() {
            Ok(Endpoint::Ip(local)) => format!("connected to {} from {local}", self.target),
            _ => format!("connected to {}", self.target),
        }
    }

    async fn handshake(&self, driver: &mut Driver) -> Shaken {
        let Some(Ok(stream)) = driver.take_wire().map(Wire::into_stream) else {
            driver.client.tls_failed(driver.now(), "there is no connection in clear".to_owned());
            return Shaken::default();
        };
        let (wait, host) = (self.plan.timeouts.ehlo, &self.target.host);
        let verify = self.policy.demand.verify();
        let (why, facts, result) =
            match timeout(wait, tls::connect(stream, self.tls, host, &verify)).await {
                Ok(Ok((wire, facts, result))) => {
                    driver.put_wire(wire);
                    driver.client.tls_established(driver.now(), facts);
                    return Shaken { facts: None, result };
                }
                Ok(Err(broken)) => (broken.why, broken.facts, broken.result),
                Err(_) => {
                    let why = format!("the handshake came to nothing in {}s", wait.as_secs());
                    (why, None, TlsResult::ValidationFailure)
                }
            };
        // What both sides had to say, for whoever has to find out who is to give way.
        for line in facts.iter().flat_map(|facts| &facts.certificate) {
            driver.client.note(driver.now(), format!("its certificate: {line}"));
        }
        driver.client.note(driver.now(), tls::offer(self.tls));
        driver.client.tls_failed(driver.now(), why);
        Shaken { facts, result: Some(result) }
    }

    /// The policy forbids this host: nobody connects.
    fn unusable(&self, cause: &Cause, result: Option<TlsResult>) -> Failure {
        let mut failure = self.not_connected(cause.trouble.to_string());
        failure.cause = cause.clone();
        failure.tls_result = result;
        failure
    }

    fn not_connected(&self, text: String) -> Failure {
        let mut transcript = Transcript::default();
        transcript.record(self.origin.elapsed(), Party::Note, &text);
        Failure {
            cause: Cause { stage: Stage::Connect, trouble: Trouble::Network(text) },
            permanent: false,
            transcript,
            tls: None,
            tls_result: None,
            address: None,
            learned: Learned::default(),
        }
    }

    /// Ends the session, politely if the machine still has something to say.
    async fn failure(
        &self,
        mut driver: Driver,
        cause: Cause,
        permanent: bool,
        shaken: Shaken,
    ) -> Failure {
        let address =
            driver.wire().and_then(|wire| wire.peer().socket()).or(self.target.endpoint.socket());
        while driver.next().await != Output::Close {}
        Failure {
            permanent,
            transcript: driver.client.transcript().clone(),
            tls: driver.client.tls().cloned().or(shaken.facts.map(|facts| *facts)),
            tls_result: shaken.result.or_else(|| {
                let refused = cause.stage == Stage::StartTls;
                refused.then_some(TlsResult::StarttlsNotSupported)
            }),
            cause,
            address,
            learned: Learned::default(),
        }
    }
}
