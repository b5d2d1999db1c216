//! GSSAPI's part of a client's login: the security context that SASL's machine asks for.

use std::net::SocketAddr;

use sasl::{Bindings, gss, server::Answer};
use world::{World, kerberos::Kerberos};

use crate::config::Gssapi;

/// The context of the exchange that is under way, once it was begun.
#[derive(Default)]
pub struct SecurityContext(Option<Kerberos>);

impl SecurityContext {
    /// Answers a question for the context. That the server is not set up for it is logged here; why a client
    /// is refused, by whoever refuses it.
    pub async fn answer(
        &mut self,
        world: &World,
        settings: &Gssapi,
        bindings: &Bindings,
        client: SocketAddr,
        ask: gss::Ask,
    ) -> Answer {
        let trouble = match self.carry_out(world, settings, bindings, ask).await {
            Ok(answer) => return Answer::Gss(answer),
            Err(trouble) => trouble,
        };
        self.0 = None;
        let why = trouble.to_string();
        match trouble.reason.is_of_server() {
            true => {
                tracing::error!(%client, why, "GSSAPI can't be used");
                Answer::Unavailable
            }
            false => Answer::Gss(gss::Answer::Failed(why)),
        }
    }

    async fn carry_out(
        &mut self,
        world: &World,
        settings: &Gssapi,
        bindings: &Bindings,
        ask: gss::Ask,
    ) -> Result<gss::Answer, ::gss::Trouble> {
        let context = match &mut self.0 {
            Some(context) => context,
            none => none.insert(world.kerberos_accept(settings.keys(), bindings).await?),
        };
        context.answer(ask).await
    }
}
