//! Each back end with the real thing on the other side: right, wrong, unknown, and out of reach.

use std::{fs, os::unix::fs::PermissionsExt};

use accounts::{dovecot::Step, settings::DovecotSettings};
use harness::peers::{
    Dovecot, Saslauthd, Slapd,
    slapd::{PASSWORD, SEARCHER, SEARCHER_PASSWORD},
};
use sasl::{
    Bindings, Mechanism,
    client::{Context, Credentials, Exchange, Step as Ours},
};

use super::*;

#[tokio::test]
async fn dovecot_says_who_it_is() {
    let Some(dovecot) = Dovecot::start() else { return };
    let text =
        format!("[[accounts]]\nkind = 'dovecot'\nsocket = '{}'\n", shown(&dovecot.auth_socket()));
    let accounts = accounts(&text);
    assert!(accounts.prepare().await.is_empty(), "it can be reached");
    let possible = accounts.possible().to_string();
    assert_eq!(possible, "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN");
    let right = password(&accounts, "Anna@next.test", "x").await;
    assert_eq!(word(&right), "yes: anna@next.test", "as Dovecot has the name");
    for (user, secret) in
        [("anna@next.test", "y"), ("nobody@next.test", "x"), ("anna@next.test", "")]
    {
        let wrong = password(&accounts, user, secret).await;
        assert!(word(&wrong).starts_with("no: Dovecot at "), "{}", word(&wrong));
        assert_eq!(wrong.answer, sasl::server::Answer::No);
    }
    let broken = password(&accounts, "broken@next.test", "x").await;
    assert!(word(&broken).contains("can't tell now"), "{}", word(&broken));
    assert_eq!(broken.answer, sasl::server::Answer::Unavailable, "454, and never 535");
    for mechanism in
        [Mechanism::ScramSha256, Mechanism::ScramSha1, Mechanism::CramMd5, Mechanism::Login]
    {
        let done = relay(&accounts, mechanism, "x").await;
        // LOGIN is a password like PLAIN, so no relay: whoever is next may be asked as well.
        match mechanism {
            Mechanism::Login => assert!(done.is_none()),
            _ => assert!(matches!(done, Some(Step::Done(..))), "{mechanism}: {done:?}"),
        }
    }
    let wrong = relay(&accounts, Mechanism::ScramSha256, "y").await;
    assert!(matches!(wrong, Some(Step::No { .. })), "{wrong:?}");
}

/// A whole exchange with our client on the other side, up to Dovecot's last word.
async fn relay(accounts: &Accounts, mechanism: Mechanism, password: &str) -> Option<Step> {
    let mut relay = accounts.relay(mechanism, &visit())?;
    let context = Context {
        service: "smtp",
        host: "localhost".into(),
        port: 587,
        bindings: Bindings::default(),
        random: [7; 32],
        now: 0,
    };
    let credentials = Credentials::new("anna@next.test", password);
    let mut client = Exchange::new(mechanism, context, Arc::new(credentials), false);
    let mut step = match client.begin() {
        Ours::Send(initial) => relay.begin(Some(initial.octets())).await,
        _ => relay.begin(None).await,
    };
    loop {
        step = match step {
            Step::Challenge(challenge) => match worked(&mut client, &challenge) {
                Ours::Send(response) => relay.respond(response.octets()).await,
                other => panic!("{mechanism}: {other:?}"),
            },
            Step::Done(account, additional) => {
                if let Some(last) = &additional {
                    let _empty = client.challenge(last);
                }
                assert_eq!(client.finish(), Ok(()), "the server has proven itself");
                return Some(Step::Done(account, additional));
            }
            other => return Some(other),
        };
    }
}

fn worked(client: &mut Exchange, challenge: &[u8]) -> Ours {
    let step = client.challenge(challenge);
    client.worked(step)
}

#[tokio::test]
async fn many_at_once_share_dovecots_connection_and_survive_its_end() {
    let Some(dovecot) = Dovecot::start() else { return };
    let socket = dovecot.auth_socket();
    let text = format!("[[accounts]]\nkind = 'dovecot'\nsocket = '{}'\n", shown(&socket));
    let accounts = accounts(&text);
    let mut logins = tokio::task::JoinSet::new();
    for number in 0..50 {
        let accounts = accounts.clone();
        let secret = if number % 2 == 0 { "x" } else { "y" };
        logins.spawn(async move { (secret, password(&accounts, "anna@next.test", secret).await) });
    }
    while let Some(done) = logins.join_next().await {
        let (secret, answered) = done.expect("no panic");
        assert_eq!(answered.account.is_some(), secret == "x", "{}", word(&answered));
    }
    drop(dovecot);
    until_unavailable(&accounts, "anna@next.test").await;
    assert_eq!(DovecotSettings::default().socket, Path::new("/run/dovecot/auth-client"));
}

/// Dovecot's processes end one after the other.
async fn until_unavailable(accounts: &Accounts, user: &str) {
    for _ in 0..200 {
        if password(accounts, user, "wrong").await.answer == sasl::server::Answer::Unavailable {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("Dovecot does not end");
}

fn directory(slapd: &Slapd, url: &str, more: &str) -> Accounts {
    accounts(&format!(
        "[[accounts]]\nkind = 'ldap'\nurl = ['{url}']\nbase = 'ou=people,dc=example,dc=test'\n\
         authorities = '{}'\nsearch_as = '{SEARCHER}'\npassword_file = '{}'\n\
         address_attributes = ['mail']\nname_attribute = 'uid'\n{more}\n",
        shown(&slapd.certificate()),
        shown(&slapd.secret(SEARCHER_PASSWORD)),
    ))
}

#[tokio::test]
async fn a_directory_is_searched_and_bound_to() {
    let Some(mut slapd) = Slapd::start() else { return };
    let socket = shown(&slapd.socket());
    for url in [
        format!("ldapi://{socket}"),
        format!("ldaps://localhost:{}", slapd.tls),
        format!("ldap://localhost:{}", slapd.port),
    ] {
        let accounts = directory(&slapd, &url, "");
        for name in ["anna", "info@here.test"] {
            let right = password(&accounts, name, PASSWORD).await;
            assert_eq!(word(&right), "yes: anna", "{url}");
            let account = right.account.expect("it is she");
            assert_eq!(account.reverse_paths, ["anna@here.test", "info@here.test"]);
        }
        for (name, secret, why) in [
            ("anna", "wrong", "invalidCredentials"),
            ("anna", "", "an empty name or password"),
            ("nobody", PASSWORD, "no entry"),
            ("*", PASSWORD, "no entry"),
            ("anna)(uid=*", PASSWORD, "no entry"),
            ("twice@here.test", PASSWORD, "several entries"),
        ] {
            let wrong = password(&accounts, name, secret).await;
            assert!(word(&wrong).contains(why), "{name}: {}", word(&wrong));
            assert_eq!(wrong.answer, sasl::server::Answer::No);
        }
    }
    let accounts = directory(&slapd, &format!("ldapi://{socket}"), "");
    assert!(password(&accounts, "anna", PASSWORD).await.account.is_some());
    slapd.stop();
    let gone = password(&accounts, "anna", PASSWORD).await;
    assert_eq!(gone.answer, sasl::server::Answer::Unavailable, "{}", word(&gone));
    slapd.start_again();
    let back = password(&accounts, "anna", PASSWORD).await;
    assert!(back.account.is_some(), "the old connection is replaced: {}", word(&back));
}

#[tokio::test]
async fn a_directory_is_bound_to_without_a_search_and_never_without_its_certificate() {
    let Some(slapd) = Slapd::start() else { return };
    let bind = "bind = 'uid={local},ou=people,dc=example,dc=test'\n";
    let text = |url: &str, more: &str| {
        format!("[[accounts]]\nkind = 'ldap'\nurl = ['{url}']\n{bind}{more}")
    };
    let trusted = format!("authorities = '{}'\n", shown(&slapd.certificate()));
    let at_once = accounts(&text(&format!("ldap://localhost:{}", slapd.port), &trusted));
    assert_eq!(word(&password(&at_once, "anna@here.test", PASSWORD).await), "yes: anna@here.test");
    let injected = password(&at_once, "anna,ou=people,dc=example,dc=test+uid=x@y", PASSWORD).await;
    assert!(injected.account.is_none(), "{}", word(&injected));
    // The second directory serves where the first is out of reach.
    let second = format!(
        "[[accounts]]\nkind = 'ldap'\nurl = ['ldap://127.0.0.1:1', 'ldaps://localhost:{}']\n{bind}{trusted}",
        slapd.tls
    );
    assert!(password(&accounts(&second), "anna@here.test", PASSWORD).await.account.is_some());
    let strange = accounts(&text(&format!("ldaps://localhost:{}", slapd.tls), ""));
    let refused = password(&strange, "anna@here.test", PASSWORD).await;
    assert_eq!(refused.answer, sasl::server::Answer::Unavailable, "{}", word(&refused));
}

#[tokio::test]
async fn saslauthd_asks_pam() {
    let Some(daemon) = Saslauthd::start() else { return };
    let accounts = accounts(&format!(
        "[[accounts]]\nkind = 'saslauthd'\nsocket = '{}'\nservice = '{}'\n",
        shown(&daemon.socket()),
        daemon.service
    ));
    assert_eq!(word(&password(&accounts, "anna", "secret-Pa55").await), "yes: anna");
    for (name, secret) in [("anna", "wrong"), ("nobody", "secret-Pa55"), ("anna", "a\0b")] {
        let wrong = password(&accounts, name, secret).await;
        assert_eq!(wrong.answer, sasl::server::Answer::No, "{}", word(&wrong));
    }
    drop(daemon);
    let gone = password(&accounts, "anna", "secret-Pa55").await;
    assert_eq!(gone.answer, sasl::server::Answer::Unavailable, "{}", word(&gone));
}

#[tokio::test]
async fn a_program_reads_descriptor_3_and_says_by_its_status() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let program = folder.path().join("check");
    // What DJB's interface asks of it, and that nothing of it is to be seen elsewhere.
    let script = "#!/bin/sh\nread_3=$(tr '\\000' '|' <&3)\n[ -z \"$(cat)\" ] || exit 2\n\
                  case \"$read_3\" in\n'anna|secret-Pa55|'*) exec \"$@\";;\n'busy|'*) echo down; exit 111;;\n\
                  'slow|'*) sleep 60;;\nesac\nexit 1\n";
    fs::write(&program, script).expect("the script can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
    let text = |path: &str| {
        format!("[[accounts]]\nkind = 'checkpassword'\ncommand = ['{path}']\npatience = '2s'\n")
    };
    let known = accounts(&text(&shown(&program)));
    assert_eq!(word(&password(&known, "anna", "secret-Pa55").await), "yes: anna");
    let said = |answered: Answered| (answered.answer.clone(), word(&answered));
    use sasl::server::Answer::{No, Unavailable};
    let (answer, why) = said(password(&known, "anna", "x; exit 0").await);
    assert!(answer == No && why.contains("ends with 1"), "{why}");
    let (answer, why) = said(password(&known, "busy", "x").await);
    assert!(answer == Unavailable && why.contains("111, and says `down`"), "{why}");
    let (answer, why) = said(password(&known, "slow", "x").await);
    assert!(answer == Unavailable && why.contains("has not answered in 2s"), "{why}");
    let missing = accounts(&text("/nowhere/check"));
    assert_eq!(password(&missing, "anna", "secret-Pa55").await.answer, Unavailable);
}

#[tokio::test]
async fn the_first_who_knows_a_name_decides_and_who_is_silent_is_told() {
    let Some(slapd) = Slapd::start() else { return };
    let Some(dovecot) = Dovecot::start() else { return };
    let text = format!(
        "[[accounts]]\nkind = 'dovecot'\nsocket = '{}'\n[[accounts]]\nkind = 'ldap'\nurl = ['ldapi://{}']\n\
         bind = 'uid={{user}},ou=people,dc=example,dc=test'\n",
        shown(&dovecot.auth_socket()),
        shown(&slapd.socket())
    );
    let both = accounts(&text);
    assert_eq!(word(&password(&both, "anna@next.test", "x").await), "yes: anna@next.test");
    assert_eq!(word(&password(&both, "anna", PASSWORD).await), "yes: anna");
    assert_eq!(both.possible().to_string(), "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-MD5 PLAIN LOGIN");
    assert_eq!(
        both.fitting().to_string(),
        "PLAIN LOGIN",
        "SCRAM would lock the directory's users out"
    );
    assert_eq!(both.only(&["ldap".to_owned()]).names().collect::<Vec<_>>(), ["ldap"]);
    drop(dovecot);
    until_unavailable(&both.only(&["dovecot".to_owned()]), "anna").await;
    let told = password(&both, "anna", "wrong").await;
    assert_eq!(told.told.len(), 2);
    assert_eq!(told.answer, sasl::server::Answer::Unavailable, "Dovecot might know her");
    assert!(password(&both, "anna", PASSWORD).await.account.is_some(), "who is sure is enough");
}
