//! GSSAPI's part of a client's login: the security context that SASL's machine asks for, and whom a
//! principal is.

use std::net::SocketAddr;

use sasl::{Binding, Bindings, gss, server::Answer};
use world::{World, kerberos::Kerberos};

use crate::config::Gssapi;

/// The context of the exchange that is under way, once it was begun.
#[derive(Default)]
pub struct SecurityContext(Option<Kerberos>);

impl SecurityContext {
    /// Answers a question for the context. Why it fails is logged here: the client learns that it failed.
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
            none => {
                let accepted = world.kerberos_accept(settings.keys(), channel(bindings)).await?;
                none.insert(accepted)
            }
        };
        Ok(match ask {
            gss::Ask::Token(token) => {
                let step = context.step(token.unwrap_or_default()).await?;
                match step.established {
                    false => gss::Answer::Continue(step.token),
                    true => gss::Answer::Established {
                        token: Some(step.token).filter(|token| !token.is_empty()),
                        peer: context.peer()?,
                    },
                }
            }
            gss::Ask::Wrap(message) => gss::Answer::Octets(context.wrap(&message)?),
            gss::Ask::Unwrap(token) => gss::Answer::Octets(context.unwrap(&token)?),
        })
    }
}

/// What the context is bound to, if the client binds it: to the server's certificate, as Windows does (RFC
/// 5929 section 4). RFC 4752 section 3.2 binds to nothing, and who does so is not refused for it.
fn channel(bindings: &Bindings) -> Option<Vec<u8>> {
    let end_point = bindings.of(Binding::EndPoint)?;
    Some([Binding::EndPoint.name().as_bytes(), b":", end_point].concat())
}

/// Whom a principal is here, if anybody.
pub fn user(settings: &Gssapi, principal: &str, authorization: Option<&str>) -> Answer {
    match settings.acting(principal, authorization) {
        Some(user) => Answer::User(user),
        None => Answer::No,
    }
}
