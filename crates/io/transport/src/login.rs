//! What the client machine has to be told when it signs in: chance, the time, and the TLS session that the
//! login is bound to.

use sasl::{client::Context, gss};
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

/// Answers [`smtp::client::Output::Gss`].
pub(crate) fn gss(driver: &mut Driver, _: gss::Ask) {
    let why = "there is no Kerberos here".to_owned();
    driver.client.gss_answered(driver.now(), gss::Answer::Failed(why));
}
