//! Asking a recipient's next hop whether it would take mail for it: a session like any other, with MAIL
//! and RCPT and no content.

use std::sync::Arc;

use async_trait::async_trait;
use policy::asked::NextHop;
use smtp::{Address, Reply};

use crate::{
    config::{Compiled, Disposition, DomainKind},
    queue::{Queue, way},
};

/// A recipient's next hop.
pub struct Forward {
    queue: Arc<Queue>,
    lane: String,
}

impl Forward {
    /// Whoever has the mailbox of an address of ours; none for a mailbox of this machine, an alias, and
    /// what is not ours.
    pub fn of(queue: &Arc<Queue>, config: &Compiled, path: &Address) -> Option<Self> {
        if !config.config.door.ask_next_hop.on
            || !matches!(config.recipient(path), Disposition::Route(_))
            || config.domain(path.domain())?.kind == DomainKind::Local
        {
            return None;
        }
        Some(Self { queue: queue.clone(), lane: path.domain().to_lowercase() })
    }
}

#[async_trait]
impl NextHop for Forward {
    async fn ask(&self, forward_path: &Address) -> Result<Reply, String> {
        let context = &self.queue.context;
        let way = match way::without_lookup(context, &self.lane, None) {
            Some(way) => Arc::new(way),
            None => way::by_lookup(context, &self.lane, None)
                .await
                .map_err(|_| format!("no way to {} is known now", self.lane))?,
        };
        let (way::By::Hosts { targets, .. }, Some(plan)) = (&way.by, way.plan()) else {
            return Err("it is no server".to_owned());
        };
        let mut why = format!("{} has no host", self.lane);
        for target in way.in_order(targets, &context.world.random) {
            let tls = context.outgoing_tls();
            let opened = transport::open(&context.world, tls.general(), target, &plan).await;
            let mut session = match opened {
                Ok(session) => session,
                Err(failure) => {
                    why = format!("{target}: {}", failure.cause.trouble);
                    continue;
                }
            };
            let said = dialogue(&mut session, forward_path).await;
            drop(session.quit().await);
            return said;
        }
        Err(why)
    }
}

async fn dialogue(
    session: &mut transport::Session,
    forward_path: &Address,
) -> Result<Reply, String> {
    let broken = |cause: smtp::Cause| cause.trouble.to_string();
    let mail = session.command("MAIL FROM:<>").await.map_err(broken)?;
    if !mail.is_positive() {
        return Err(format!("MAIL FROM:<> got {mail}"));
    }
    session.command(&format!("RCPT TO:<{forward_path}>")).await.map_err(broken)
}
