//! `config show --client` and `--site`: what a client would be offered, and what would be used with a
//! next hop. Said by the code that does it: the EHLO replies are the machine's own.

use std::{fmt::Write, net::IpAddr, path::Path};

use smtp::{
    Timestamp,
    client::Features,
    extension::{self, Ground},
};

use super::{Compiled, DomainKind, Limits, Listener, ListenerTls, NextHop, Route};
use crate::{
    listen,
    quirks::{Does, Quirks},
};

/// What a client at that address is offered at each listener (or at the one of that name), in clear
/// and inside TLS; `door` knows who is turned away. `now` is for what EHLO says of the time.
pub fn by_client(
    config: &Compiled,
    accounts: &accounts::Accounts,
    door: &policy::Set,
    client: IpAddr,
    name: Option<&str>,
    now: Timestamp,
) -> Option<String> {
    let named = |listener: &Listener| name.is_none_or(|name| listener.name() == name);
    let listeners: Vec<_> =
        config.listeners.iter().filter(|(listener, _)| named(listener)).collect();
    let mut page = String::new();
    if let Some(network) = door.denied(client) {
        line(
            &mut page,
            format_args!("{client} is turned away with 554: {network} is in door.deny.clients\n"),
        );
    }
    let head = page.len();
    for (listener, limits) in &listeners {
        let separator = if page.len() == head { "" } else { "\n" };
        page.push_str(separator);
        let accounts = accounts.only(&listener.accounts);
        at_listener(&mut page, config, &accounts, (listener, limits), client, now);
    }
    (!listeners.is_empty()).then_some(page)
}

fn at_listener(
    page: &mut String,
    config: &Compiled,
    accounts: &accounts::Accounts,
    (listener, limits): (&Listener, &Limits),
    client: IpAddr,
    now: Timestamp,
) {
    let mechanisms = listen::mechanisms(listener, accounts);
    let tls_available = listener.tls != ListenerTls::None;
    let offer = listen::offer(config, listener, limits, tls_available, mechanisms);
    let may = match listener.trusts(client) || config.may_relay(client) {
        true => "may relay to anywhere",
        false => "may send to the domains of this server",
    };
    let mut places: Vec<_> = listener.address.iter().map(ToString::to_string).collect();
    places.extend(listener.socket.as_deref().map(Path::display).map(|path| path.to_string()));
    line(page, format_args!("{client} at {} ({})", listener.name(), places.join(", ")));
    line(page, format_args!("  {may}"));
    if listener.is_proxied(client) {
        line(
            page,
            format_args!("  has to begin with a PROXY header, and is judged by what that says"),
        );
    }
    let guarded = Features::GUARDED.without(listener.grants(client));
    let features = offer.features.without(guarded);
    let started_by = Features::STARTTLS.with(Features::TLS).with(Features::X_ANONYMOUSTLS);
    let grounds = match listener.tls {
        ListenerTls::None => vec![("in clear", false)],
        ListenerTls::StartTls if features.of(started_by).is_empty() => vec![("in clear", false)],
        ListenerTls::StartTls => vec![("in clear", false), ("inside TLS", true)],
        ListenerTls::Implicit => vec![("inside TLS", true)],
    };
    for (place, tls) in grounds {
        // Whoever has a certificate may see EXTERNAL besides.
        let (bindable, certificate, authenticated) = (tls, false, false);
        let ground =
            Ground { offer: &offer, features, tls, bindable, certificate, authenticated, now };
        let reply = extension::ehlo_reply(&ground);
        line(page, format_args!("  {place}:"));
        reply.lines().skip(1).for_each(|keyword| line(page, format_args!("    {keyword}")));
    }
    if listener.offers_auth() {
        let names: Vec<&str> = accounts.names().collect();
        line(page, format_args!("  accounts: {}", names.join(", ")));
        let left_out = accounts.possible().without_all(mechanisms);
        if listener.auth.mechanisms.is_empty() && !left_out.is_empty() {
            line(
                page,
                format_args!(
                    "  not for every user, or outdated: {left_out} (`auth.mechanisms` offers them)"
                ),
            );
        }
    }
}

/// How mail for a domain travels, or to a site (by the name of its best host), and which features are
/// used there where they are offered.
pub fn by_site(config: &Compiled, name: &str) -> String {
    let mut page = String::new();
    let site = config.site(name);
    if let (None, Some(domain)) = (site, config.domain(name)) {
        line(&mut page, format_args!("{name}: a domain of kind `{}`", domain.kind.as_str()));
        if matches!(domain.kind, DomainKind::Local | DomainKind::Odmr) {
            return page;
        }
    }
    let route = config.route(name);
    let route = site.map_or_else(|| route.as_ref().clone(), |site| site.over(route));
    let hops: Vec<_> = route.next_hop.iter().map(ToString::to_string).collect();
    match hops.is_empty() {
        true => line(&mut page, format_args!("{name}: by its MX")),
        false => line(&mut page, format_args!("{name}: to {}", hops.join(", "))),
    }
    line(&mut page, format_args!("  TLS: {}", route.tls.as_str()));
    features(&mut page, &route);
    quirks(&mut page, config, name, &route);
    if hops.is_empty() && site.is_none() {
        line(&mut page, format_args!("  (the name of its best MX may add to it: `[sites]`)"));
    }
    line(
        &mut page,
        format_args!("  (what broke there is avoided besides: see `mailwright why {name}`)"),
    );
    page
}

fn quirks(page: &mut String, config: &Compiled, name: &str, route: &Route) {
    if !config.config.queue.quirks {
        return line(page, format_args!("  quirks: none is heeded (queue.quirks)"));
    }
    let host = route.next_hop.iter().find_map(NextHop::host).unwrap_or(name);
    let (own, general): (Vec<_>, Vec<_>) = Quirks::of(host, &route.without_quirks)
        .iter()
        .filter(|quirk| !matches!(quirk.does, Does::Always(_)))
        .partition(|quirk| !quirk.hosts.is_empty());
    for quirk in own {
        line(page, format_args!("  quirk {}: {}; {}", quirk.name, quirk.told(), quirk.why));
    }
    let general: Vec<_> = general.iter().map(|quirk| quirk.name).collect();
    if !general.is_empty() {
        line(page, format_args!("  quirks of any host: {}", general.join(", ")));
    }
    if !route.without_quirks.is_empty() {
        line(page, format_args!("  quirks not heeded: {}", route.without_quirks.join(", ")));
    }
}

fn features(page: &mut String, route: &Route) {
    let listed =
        |names: &[String]| Features::by_names(names.iter().map(String::as_str)).unwrap_or_default();
    let (avoided, allowed) = (listed(&route.avoid), listed(&route.allow).of(Features::OPT_IN));
    let barred = Features::OPT_IN.without(allowed);
    let hello =
        if avoided.has(Features::EHLO) { "HELO, and so without extensions" } else { "EHLO" };
    line(page, format_args!("  begins with: {hello}"));
    let used = match avoided.has(Features::EHLO) {
        true => Features::NONE,
        false => {
            let known = Features::EHLO.with(avoided).with(barred).with(UNUSED);
            Features::all().without(known)
        }
    };
    for (what, set) in [("used where offered", used), ("avoided", avoided), ("never used", barred)]
    {
        if !set.is_empty() {
            line(page, format_args!("  {what}: {set}"));
        }
    }
}

/// What a client has no use for.
const UNUSED: Features = Features::HELP
    .with(Features::VRFY)
    .with(Features::EXPN)
    .with(Features::ETRN)
    .with(Features::ATRN)
    .with(Features::TURN)
    .with(Features::FUTURERELEASE);

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(page, "{text}");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Config;

    fn compiled(text: &str) -> Compiled {
        Compiled::new(Config::parse(text).unwrap().0, BTreeMap::new()).unwrap()
    }

    fn door(denied: &str) -> policy::Set {
        let text = format!("[door.deny]\nclients = [{denied}]\n");
        let (settings, ourselves) = (compiled(&text).config.door, policy::Ourselves::default());
        policy::Set::new(&*world().disk, settings, ourselves).unwrap()
    }

    fn world() -> world::World {
        let disk = std::sync::Arc::new(world::sim::disk::SimDisk::new(1));
        world::sim::SimWorld::new(1).world_for([192, 0, 2, 1].into(), disk)
    }

    #[test]
    fn a_user_sees_the_mechanisms_that_all_users_can_use() {
        let listener =
            "[[listener]]\nname = 'in'\naddress = '127.0.0.1:587'\nrole = 'submission'\n";
        let old = "[users]\nold = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$YWhhc2hhaGFzaGFoYXNoYWhhc2hhaGFzaGFoYXNoYQ'\n";
        let page = |text: &str| {
            let config = compiled(text);
            let accounts =
                accounts::Accounts::new(&world(), &config.config.accounts, &config.users).unwrap();
            let client = "192.0.2.7".parse().unwrap();
            by_client(&config, &accounts, &door(""), client, Some("in"), Timestamp(0)).unwrap()
        };
        let auth = |text: &str| {
            let page = page(text);
            let line = page.lines().find(|line| line.trim_start().starts_with("AUTH "));
            line.unwrap_or_else(|| panic!("{page}")).trim().to_owned()
        };
        assert!(auth(listener).contains("SCRAM-SHA-256"), "{}", auth(listener));
        assert_eq!(auth(&format!("{listener}{old}")), "AUTH PLAIN LOGIN");
        let ldap = "[[accounts]]\nkind = 'ldap'\nurl = ['ldap://x']\nbase = 'dc=x'\n[[accounts]]\nkind = 'users'\n";
        assert_eq!(auth(&format!("{listener}{ldap}")), "AUTH PLAIN LOGIN");
        assert!(page(&format!("{listener}{ldap}")).contains("accounts: ldap, users"));
        let named = listener
            .replace("'submission'", "'submission'\nauth.mechanisms = ['plain', 'cram-md5']");
        assert_eq!(auth(&named), "AUTH PLAIN", "nobody has a secret for CRAM-MD5");
    }

    #[test]
    fn a_client_sees_what_it_is_granted_and_what_is_switched() {
        let config = compiled(
            "hostname = 'mx.a.test'\n[[listener]]\nname = 'in'\naddress = '127.0.0.1:25'\n\
             hide = ['CHUNKING']\nadvertise = ['XEXCH50']\netrn = ['192.0.2.0/24']\n",
        );
        let accounts = accounts::Accounts::nobody(&world());
        let at = |client: &str| {
            let client = client.parse().unwrap();
            by_client(&config, &accounts, &door(""), client, Some("in"), Timestamp(0)).unwrap()
        };
        let (friend, stranger) = (at("192.0.2.7"), at("203.0.113.7"));
        assert!(friend.contains("    ETRN\n") && !stranger.contains("    ETRN\n"), "{friend}");
        assert!(stranger.contains("    XEXCH50\n") && !stranger.contains("CHUNKING"), "{stranger}");
        assert!(stranger.contains("inside TLS:") && stranger.contains("    REQUIRETLS\n"));
        assert_eq!(stranger.matches("REQUIRETLS").count(), 1, "inside TLS only: {stranger}");
        let client = "203.0.113.7".parse().unwrap();
        let nobody = by_client(&config, &accounts, &door(""), client, Some("x"), Timestamp(0));
        assert_eq!(nobody, None);
        let denied = door("'203.0.113.0/24'");
        let denied = by_client(&config, &accounts, &denied, client, Some("in"), Timestamp(0));
        assert!(
            denied.unwrap().starts_with("203.0.113.7 is turned away with 554: 203.0.113.0/24 is")
        );
    }

    #[test]
    fn inside_tls_is_shown_only_where_there_is_a_way_into_it() {
        let page = |hide: &str| {
            let config = compiled(&format!(
                "hostname = 'mx.a.test'\n[[listener]]\naddress = '127.0.0.1:25'\nhide = [{hide}]\n"
            ));
            let accounts = accounts::Accounts::nobody(&world());
            let client = "192.0.2.7".parse().unwrap();
            by_client(&config, &accounts, &door(""), client, None, Timestamp(0)).unwrap()
        };
        assert!(page("").contains("inside TLS:"));
        assert!(!page("'STARTTLS'").contains("inside TLS:"), "{}", page("'STARTTLS'"));
    }

    #[test]
    fn a_site_is_used_as_the_route_says() {
        let config = compiled(
            "[routes.'b.test']\nnext_hop = '192.0.2.1:25'\navoid = ['PIPELINING']\nuse = ['X-EXPS']\n\
             [routes.'c.test']\nnext_hop = '192.0.2.1:25'\navoid = ['EHLO']\n",
        );
        let page = by_site(&config, "b.test");
        assert!(
            page.contains("to 192.0.2.1:25") && page.contains("avoided: PIPELINING\n"),
            "{page}"
        );
        let used = page.lines().find(|line| line.contains("used where offered")).unwrap();
        assert!(used.contains("X-EXPS") && !used.contains("XEXCH50"), "{page}");
        assert!(by_site(&config, "c.test").contains("begins with: HELO"));
        assert!(by_site(&config, "d.test").contains("by its MX"));
    }
}
