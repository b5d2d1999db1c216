//! What the client machine has to be told when it signs in: chance, the time, the TLS session that the
//! login is bound to, and what Kerberos says.

use ::gss::{Tickets, Trouble};
use sasl::{client::Context, gss, scram::Salting};
use world::World;

use crate::{drive::Driver, plan::Target};

/// Answers [`smtp::client::Output::SignIn`].
pub(crate) fn sign_in(world: &World, target: &Target, driver: &mut Driver) {
    let now = driver.now();
    match world.random.secret() {
        Ok(random) => {
            let bindings = driver.wire().map(|wire| wire.bindings()).unwrap_or_default();
            let context = Context {
                service: "smtp",
                host: target.host.as_str().into(),
                port: target.endpoint.socket().map_or(0, |address| address.port()),
                bindings,
                random,
                now: world.clock.now().0 / 1000,
            };
            driver.client.sign_in(now, context);
        }
        Err(error) => {
            driver.client.network_failed(now, format!("no login without randomness: {error}"));
        }
    }
}

/// Answers [`smtp::client::Output::Salt`].
pub(crate) async fn salt(world: &World, driver: &mut Driver, salting: Salting) {
    let salted = world.aside(move || salting.work()).await;
    let now = driver.now();
    match salted {
        Ok(salted) => driver.client.salted(now, &salted),
        Err(error) => driver.client.network_failed(now, format!("the login broke: {error}")),
    }
}

/// Answers [`smtp::client::Output::Gss`]. The context stays with the driver until the login is over.
pub(crate) async fn gss(
    world: &World,
    tickets: &Tickets,
    target: &Target,
    driver: &mut Driver,
    ask: gss::Ask,
) {
    let answer = carry_out(world, tickets, target, driver, ask).await;
    let answer = answer.unwrap_or_else(|trouble| gss::Answer::Failed(trouble.to_string()));
    driver.client.gss_answered(driver.now(), answer);
}

async fn carry_out(
    world: &World,
    tickets: &Tickets,
    target: &Target,
    driver: &mut Driver,
    ask: gss::Ask,
) -> Result<gss::Answer, Trouble> {
    // One that was begun before belongs to a mechanism that was given up.
    let begun = driver.kerberos.take().filter(|_| ask != gss::Ask::Token(None));
    let mut context = match begun {
        Some(context) => context,
        None => {
            let bindings = driver.wire().map(|wire| wire.bindings()).unwrap_or_default();
            world.kerberos_initiate(tickets.clone(), target.host.clone(), &bindings).await?
        }
    };
    let answer = context.answer(ask).await?;
    driver.kerberos = Some(context);
    Ok(answer)
}
