//! The configuration as a whole: the example file, the errors, the lookups.

use std::{collections::BTreeSet, fs, time::Duration};

use serde::Deserialize;
use smtp::Address;

use super::{load::nearest, *};

const EXAMPLE: &str = include_str!("../../../../../docs/mailwright.example.toml");

/// The example with its `#key` lines, and perhaps its `#~ key` lines, taken out of their comments.
fn uncommented(examples: bool) -> String {
    let line = |line: &str| match line.strip_prefix("#~ ") {
        Some(rest) if examples => rest.to_owned(),
        Some(_) => String::new(),
        None => match line.strip_prefix('#') {
            Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
            _ => line.to_owned(),
        },
    };
    EXAMPLE.lines().map(|text| line(text) + "\n").collect()
}

/// Every key there is, as `section.key`, found by asking each section for one that it can't have.
fn every_key() -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    ask("", "", &mut keys);
    for (path, head) in [
        ("listener", "[[listener]]\n"),
        ("domains.*", "[domains.x]\n"),
        ("routes.*", "[routes.x]\n"),
        ("users.*", "[users.x]\n"),
    ] {
        ask(path, head, &mut keys);
    }
    for kind in ["users", "dovecot", "ldap", "saslauthd", "checkpassword", "oauth", "certificates"]
    {
        let text = format!("[[accounts]]\nkind = '{kind}'\n'?' = 1\n");
        keys.extend(fields(&text).into_iter().map(|key| format!("accounts.{key}")));
    }
    keys
}

/// The keys that could stand where the `?` of a text does.
fn fields(text: &str) -> Vec<String> {
    let Err(error) = toml::from_str::<Config>(text) else { return Vec::new() };
    match error.message().strip_prefix("unknown field `?`, expected ") {
        Some(rest) => rest.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
        None => Vec::new(),
    }
}

fn ask(path: &str, head: &str, keys: &mut BTreeSet<String>) {
    for key in fields(&format!("{head}'?' = 1\n")) {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        // Their values are told of at their own places.
        let inherited = ["listener.limits", "routes.*.retry", "default_route"];
        keys.insert(inner.clone());
        if !inherited.contains(&inner.as_str()) {
            let head = match head.trim_end().strip_prefix("[[") {
                Some(_) => format!("{head}[listener.{key}]\n"),
                None if head.is_empty() => format!("[{key}]\n"),
                None => format!("{}.{key}]\n", head.trim_end().trim_end_matches(']')),
            };
            ask(&inner, &head, keys);
        }
    }
}

fn has(value: &toml::Value, path: &[&str]) -> bool {
    let Some((key, rest)) = path.split_first() else { return true };
    match value {
        toml::Value::Array(items) => items.iter().any(|item| has(item, path)),
        toml::Value::Table(table) if *key == "*" => table.values().any(|inner| has(inner, rest)),
        toml::Value::Table(table) => table.get(*key).is_some_and(|inner| has(inner, rest)),
        _ => false,
    }
}

#[test]
fn the_empty_file_is_the_default() {
    assert_eq!(Config::parse("").unwrap(), (Config::default(), vec![]));
}

#[test]
fn the_example_shows_the_defaults() {
    assert_eq!(Config::parse(EXAMPLE).unwrap(), (Config::default(), vec![]));
    assert_eq!(Config::parse(&uncommented(false)).unwrap(), (Config::default(), vec![]));
}

#[test]
fn the_example_is_right_but_for_its_files() {
    for problem in Config::parse(&uncommented(true)).unwrap_err() {
        assert!(problem.message.contains("/etc/mailwright/"), "{problem:?}");
    }
}

#[test]
fn every_key_is_in_the_example() {
    let example = toml::Value::Table(uncommented(true).parse().unwrap());
    let keys = every_key();
    for sure in [
        "limits.size_max",
        "listener.auth.without_tls",
        "routes.*.auth.user",
        "users.*.password",
        "accounts.bind",
        "accounts.keys",
    ] {
        assert!(keys.contains(sure), "{sure} was not found: is the test itself still right?");
    }
    for key in &keys {
        let path: Vec<&str> = key.split('.').collect();
        assert!(has(&example, &path), "docs/mailwright.example.toml does not tell of `{key}`");
    }
}

#[test]
fn every_key_of_the_example_is_explained() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    for pair in lines.windows(2) {
        let is_key = |line: &str| {
            let line = line.trim_start_matches(['#', '~', ' ']);
            line.contains(" = ") && line.starts_with(|c: char| c.is_ascii_lowercase())
        };
        if is_key(pair[1]) && pair[1].starts_with('#') && !pair[1].starts_with("# ") {
            let repeated = pair[1] == "#~ kind = \"lmtp\"";
            assert!(pair[0].starts_with("# ") || repeated, "`{}` is not explained", pair[1]);
        }
    }
}

/// What `config check` says of a file, a line for each problem.
fn problems(text: &str) -> Vec<String> {
    let problems = Config::parse(text).err().unwrap_or_default();
    let line = |problem: &Problem| {
        let line = problem.line(text).map_or("-".to_owned(), |line| line.to_string());
        format!("{line}: {}; {}", problem.message, problem.help.as_deref().unwrap_or("-"))
    };
    problems.iter().map(line).collect()
}

#[test]
fn errors_say_where_and_what_would_be_right() {
    for (text, expected) in [
        ("hostnam = 'a.test'", "1: there is no key `hostnam` here; did you mean `hostname`?"),
        (
            "[limits]\nsize-max = '1 MiB'",
            "2: there is no key `size-max` here; did you mean `size_max`?",
        ),
        ("[control]\nx = 1", "2: there is no key `x` here; the keys here are `socket`"),
        ("[retry]\nfirst = 5", "2: `5` has no unit: write a duration in quotes, like \"5m\"; -"),
        (
            "[retry]\nfirst = '5 parsecs'",
            "2: `parsecs` is no unit here: use one of `ms`, `s`, `m`, `h`, `d`, `w`; -",
        ),
        ("[limits]\nsize_max = '50'", "2: `50` has no unit: write it like `50 MiB`; -"),
        (
            "[retry]\ngive_up = '1h'",
            "2: `give_up` (1h) is shorter than `longest` (4h); raise `give_up`, or lower `longest`",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:25'\nrole = 'mta'",
            "3: `mta` is none of the values that are possible here; use one of `mx`, `submission`, `relay`",
        ),
        (
            "[[listener]]\nrole = 'mx'",
            "1: this listener has no address; add `address = \"127.0.0.1:25\"`, or another",
        ),
        (
            "[[listener]]\naddress = '0.0.0.0:25'\n[[listener]]\nname = 'b'\naddress = '127.0.0.1:25'",
            "5: `127.0.0.1:25` overlaps with `0.0.0.0:25` of listener `mx-25`; give each listener a port of its own",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:25'\nrole = 'submission'\ntls = 'none'",
            "4: AUTH is offered only inside TLS, and there is no TLS; set `tls = \"starttls\"`, or allow \
             `auth.without_tls` if nobody can listen in",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:25'\nauth = { ntlm_v1 = true }",
            "3: NTLM's version 1 is taken, but NTLM is not offered; add \"NTLM\" to `auth.mechanisms`, or leave out \
             `auth.ntlm_v1`",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:25'\nauth = { names = { plain = 'NTLM' } }",
            "3: `plain` is a mechanism by itself; name it in `auth.mechanisms`",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:25'\nrole = 'relay'",
            "3: a `relay` listener that trusts no networks; name them in `networks`, like `networks = [\"192.0.2.0/24\"]`",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:25'\nadvertise = ['expn']",
            "3: EXPN, which `expn` has off; set `expn` to \"252\" or \"exact\"",
        ),
        (
            "[[listener]]\naddress = '127.0.0.1:25'\nhide = ['EHLO']",
            "3: EHLO is no keyword of its own reply; EHLO is what every client begins with; hide what it lists",
        ),
        (
            "[relay]\ndomains = ['A.test']\n[domains.'a.test']",
            "2: `A.test` is a relay domain here, and `local` under `[domains]`; keep one of them: mail can go one way only",
        ),
        (
            "[relay]\nnetworks = ['192.0.2.1/24']",
            "2: `192.0.2.1/24` has bits set behind its prefix; that network is `192.0.2.0/24`; -",
        ),
        (
            "[tls]\ncertificate = '/nonexistent/c.pem'\nkey = '/dev/null'",
            "2: cannot read `/nonexistent/c.pem`: No such file or directory (os error 2); check the path, and that the \
             server's user may read it",
        ),
        (
            "[tls]\nkey = '/dev/null'",
            "2: there is a `key`, but no `certificate` to it; name the certificate's file as \
             `certificate`, or leave out both for a self-signed one",
        ),
        (
            "[domains.'a.test']\nkind = 'lmtp'",
            "1: a domain of kind `lmtp` without `next_hop`; say where its mail goes: \
             `next_hop = \"127.0.0.1:24\"`",
        ),
        (
            "[domains.'a.test'.aliases]\na = ['b']\nb = ['c']\nc = ['a']",
            "1: aliases form a loop: a@a.test -> b@a.test -> c@a.test -> a@a.test; let one of them name a mailbox",
        ),
        (
            "[routes]\n'*' = 'a.test'",
            "2: `*` alone is no pattern; every domain: that is what `default_route` is for, and \
             `[relay] networks`",
        ),
        ("[routes]\n'a.test' = 'b.test:99999'", "2: `99999` is no port: use 1 to 65535; -"),
        (
            "[default_route]\nnext_hop = 'b.test'\nauth = { user = 'me', password = 'x' }",
            "3: the password could be sent in clear; set `tls = \"verified\"` (or \"required\"): whoever is in between could \
             read it else",
        ),
        (
            "[users]\nanna = 'secret'",
            "2: the password of `anna` is no argon2 hash; let `mailwright user add` make it, in a \
             file of its own",
        ),
    ] {
        assert!(
            problems(text).iter().any(|problem| problem == expected),
            "{text}\n{:#?}",
            problems(text)
        );
    }
}

#[test]
fn many_errors_are_told_at_once() {
    let text = "hostnam = 'x'\n[limits]\nsize_max = 7\nbogus = 1\n[retry]\nfirst = true\n\
                [[listener]]\nrole = 'x'\nlimits = { recipients_max = 'many' }\n";
    let found = problems(text);
    let mut lines: Vec<&str> =
        found.iter().filter_map(|problem| problem.split(':').next()).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1", "3", "4", "6", "8", "9"], "{found:#?}");
    // Syntax goes first: of a document that can't be read, nothing else can be said.
    assert!(!problems("hostname = \n[limits\n").is_empty());
}

#[test]
fn near_names_are_suggested_and_far_ones_not() {
    for (given, near) in [
        ("adress", Some("address")),
        ("require-tls", Some("require_tls")),
        ("Role", Some("role")),
        ("certificate", None),
    ] {
        assert_eq!(nearest(given, &["address", "require_tls", "role"]), near, "{given}");
    }
}

#[test]
fn listeners_and_routes_inherit() {
    let text = "[limits]\nsize_max = '1 MiB'\nrecipients_max = 100\n[retry]\nlongest = '1h'\n\
                [[listener]]\naddress = '127.0.0.1:0'\nlimits = { recipients_max = 200 }\n\
                [routes.'a.test']\nnext_hop = 'b.test'\nretry = { first = '1m' }\n";
    let (config, _) = Config::parse(text).unwrap();
    let limits = config.listener[0].limits.as_ref().unwrap();
    assert_eq!((limits.size_max, limits.recipients_max), (1 << 20, 200));
    let retry = config.routes["a.test"].retry.as_ref().unwrap();
    assert_eq!((retry.first, retry.longest), (Duration::from_secs(60), Duration::from_secs(3_600)));
}

fn compiled(text: &str) -> Compiled {
    Compiled::new(Config::parse(text).unwrap().0, BTreeMap::new()).unwrap()
}

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// The bed that the conformance suite asks for.
const BED: &str = r#"
hostname = "mail.example.test"
default_route = "127.0.0.1:2600"

[limits]
size_max = "10 MiB"

[[listener]]
name = "mx"
address = "127.0.0.1:2525"
role = "mx"

[[listener]]
name = "submission"
address = "127.0.0.1:2587"
role = "submission"

[[listener]]
name = "submissions"
address = "127.0.0.1:2465"
role = "submission"
tls = "implicit"

[relay]
domains = ["relay.test", "*.chaos.test"]

[domains."example.test"]
kind = "smtp"
next_hop = "127.0.0.1:2600"
refuse = ["nouser"]

[routes]
"greet-421.chaos.test" = "127.0.0.1:12700"
"greet-554.chaos.test" = "127.0.0.1:12701"

[retry]
first = "2s"
factor = 1.0
longest = "2s"
give_up = "25s"
delay_notice = "0s"

[timeouts]
greeting = "8s"
command = "8s"
mail = "8s"
rcpt = "8s"
data = "8s"
content = "8s"
end_of_data = "8s"
"#;

#[test]
fn the_conformance_bed_can_be_said() {
    let bed = compiled(BED);
    let hop = |domain: &str| bed.route(domain).next_hop[0].to_string();
    assert_eq!(hop("greet-421.chaos.test"), "127.0.0.1:12700");
    assert_eq!(hop("GREET-554.chaos.test"), "127.0.0.1:12701");
    for sink in ["example.test", "relay.test", "remote.test"] {
        assert_eq!(hop(sink), "127.0.0.1:2600", "{sink}");
    }
    for (recipient, accepted) in [
        ("anybody@example.test", true),
        ("Anybody@EXAMPLE.test", true),
        ("\"any body\"@example.test", true),
        ("x@relay.test", true),
        ("x@greet-421.chaos.test", true),
        ("x@any.other.chaos.test", true),
        ("nouser@example.test", false),
        ("NoUser@example.test", false),
        ("x@chaos.test", false), // the pattern is for what is below
        ("x@remote.test", false),
        ("x@sub.example.test", false),
    ] {
        let disposition = bed.recipient(&address(recipient));
        assert_eq!(
            matches!(disposition, Disposition::Route(_)),
            accepted,
            "{recipient}: {disposition:?}"
        );
    }
    assert!(!bed.may_relay([127, 0, 0, 1].into()), "clients from 127.0.0.1 get no privileges");
    assert_eq!(bed.listeners.len(), 3);
    assert!(bed.listeners[1].0.requires_auth() && !bed.listeners[0].0.offers_auth());
    assert_eq!(bed.postmaster().as_str(), "postmaster@example.test");
    let of_others = compiled("[domains.'a.test']\nkind = 'relay'\n[domains.'b.test']\n");
    assert_eq!(of_others.postmaster().as_str(), "postmaster@b.test", "a.test has its own");
}

#[test]
fn what_is_offered_to_nobody_is_told() {
    let warned = |more: &str| {
        let listener = "[[listener]]\naddress = '127.0.0.1:25'\nadvertise = ['XCLIENT']\n";
        let (_, warnings) = Config::parse(&format!("{listener}{more}")).unwrap();
        warnings.iter().any(|warning| warning.message == "XCLIENT is offered to nobody")
    };
    assert!(warned(""));
    assert!(!warned("xclient = ['192.0.2.10']\n"));
}

#[test]
fn without_a_file_this_machine_has_mail() {
    let config = Config { hostname: "vm.test".to_owned(), ..Config::default() };
    let compiled = Compiled::new(config, BTreeMap::new()).unwrap();
    for (recipient, maildir) in [
        ("anna@localhost", Some("./mailwright-data/mail/localhost/anna")),
        ("Anna@VM.test", Some("./mailwright-data/mail/vm.test/anna")),
        ("\"anna\"@vm.test", Some("./mailwright-data/mail/vm.test/anna")), // RFC 5321 section 4.1.2
        ("anna+list@vm.test", Some("./mailwright-data/mail/vm.test/anna+list")),
        ("jürgen@vm.test", Some("./mailwright-data/mail/vm.test/jürgen")),
        ("\"../../etc\"@vm.test", None),
        ("\"a/b\"@vm.test", None),
        ("\"a b\"@vm.test", None),
        ("\".hidden\"@vm.test", None),
        ("anna@elsewhere.test", None),
    ] {
        let recipient = address(recipient);
        let found = compiled.maildir(&recipient);
        assert_eq!(found.as_deref().and_then(Path::to_str), maildir, "{recipient}");
        let local = matches!(compiled.recipient(&recipient), Disposition::Local(_));
        assert_eq!(local, maildir.is_some(), "{recipient}");
    }
    assert!(compiled.may_relay([127, 0, 0, 1].into()));
    assert!(!compiled.may_relay([192, 0, 2, 1].into()));
    assert!(matches!(compiled.recipient(&address("a@b.test")), Disposition::NotOurs(_)));
    let postmaster = compiled.recipient(&address("postmaster"));
    assert_eq!(postmaster, Disposition::Alias(&[address("postmaster@vm.test")]));
}

#[test]
fn aliases_and_catch_all() {
    let compiled = compiled(
        "[domains.'a.test']\nmailboxes = ['anna', 'info']\ncatch_all = 'anna'\n\
         aliases = { info = ['info', 'all'], all = ['Anna', 'bob@b.test'], abuse = ['postmaster'] }\n\
         [domains.'b.test']\nmailboxes = ['bob']\n",
    );
    let alias = |recipient: &str| match compiled.recipient(&address(recipient)) {
        Disposition::Alias(to) => to.iter().map(Address::as_str).collect::<Vec<_>>().join(" "),
        other => format!("{other:?}").chars().take(7).collect(),
    };
    for (recipient, expected) in [
        ("anna@a.test", "Local(D"),
        ("INFO@a.test", "info@a.test Anna@a.test bob@b.test"), // keeps a copy, follows `all`
        ("abuse@a.test", "postmaster@a.test"),
        ("nobody@a.test", "anna@a.test"),
        ("postmaster@a.test", "Local(D"), // though not listed: RFC 5321 section 4.5.1
        ("nobody@b.test", "Unknown"),
        ("postmaster@b.test", "Local(D"),
    ] {
        assert_eq!(alias(recipient), expected, "{recipient}");
    }
    // What an alias led to is never followed again.
    assert!(matches!(compiled.resolved(&address("info@a.test")), Disposition::Local(_)));
    assert!(matches!(compiled.resolved(&address("nobody@a.test")), Disposition::Unknown));
}

#[test]
fn what_is_shown_is_read_back_and_holds_no_secret() {
    let hash = users::hash_password("x").unwrap();
    let text = format!(
        "{BED}\n[users]\nanna = '{hash}'\n[routes.'c.test']\nnext_hop = '[::1]:25'\n\
                        auth = {{ user = 'me', password = 'hush' }}\n"
    );
    let (config, _) = Config::parse(&text).unwrap();
    let shown = show::show(&config, &text);
    assert!(!shown.contains("hush") && !shown.contains("argon2"), "{shown}");
    assert!(shown.contains("give_up = \"25s\"\n"), "a given value: {shown}");
    assert!(shown.contains("connections_max = 20000  # default\n"), "a default: {shown}");
    let read = Config::deserialize(toml::Deserializer::parse(&shown).unwrap()).unwrap();
    assert_eq!((read.retry, read.listener.len()), (config.retry.clone(), 3));
    // Nothing is lost on the way, secrets aside.
    let whole = toml::to_string(&config).unwrap();
    assert_eq!(Config::parse(&whole).unwrap().0, config);
}

#[test]
fn files_that_are_not_there_are_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.toml");
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("a.toml: cannot read the file: No such file"), "{error}");
    fs::write(&path, "[retry]\nfirst = 5\n").unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("a.toml:2: `5` has no unit"), "{error}");
    // Octets that are no UTF-8 are an error too, not a panic.
    fs::write(&path, b"hostname = '\xff'\n").unwrap();
    assert!(Config::load(&path).is_err());
}
