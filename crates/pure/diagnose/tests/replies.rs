//! Whatever we say has a row in the table of meanings: a client that asks `why` of us gets an answer.

use std::time::Duration;

use diagnose::meanings::{CODES, Key, is_registered};
use smtp::{Reply, reply::Missing};

/// Where the replies are made. Read as text, so that a new constructor can't be forgotten here.
const TEXTS: &str = concat!(
    include_str!("../../smtp/src/reply/texts.rs"),
    include_str!("../../smtp/src/reply/texts/extended.rs"),
);

macro_rules! replies {
    ($($name:ident($($argument:expr),*),)+) => {
        vec![$((stringify!($name), Reply::$name($($argument),*)),)+]
    };
}

fn all() -> Vec<(&'static str, Reply)> {
    replies![
        greeting("a.test", "ready"),
        helo("a.test"),
        goodbye(),
        reset(),
        still_here(),
        too_many_connections(),
        talked_too_early(),
        idle_too_long(),
        shutting_down(),
        too_many_errors(),
        endless_line(),
        not_smtp(),
        tls_too_early(),
        unknown_command(),
        line_too_long(),
        auth_line_too_long(),
        bare_lf_in_command(),
        control_in_command(),
        not_utf8(),
        not_implemented(),
        syntax("say it so"),
        bad_helo(),
        bad_reverse_path("not a path"),
        bad_forward_path("not a path"),
        reverse_path_needs_smtputf8(),
        forward_path_needs_smtputf8(),
        unknown_parameter("X"),
        bad_parameter("say it so"),
        parameter_twice(),
        out_of_sequence(Missing::Mail),
        no_recipients(),
        already_authenticated(),
        already_tls(),
        binary_needs_bdat(),
        start_tls(),
        tls_required(),
        auth_required(),
        auth_needs_tls(),
        unknown_mechanism(),
        challenge(""),
        ntlm_supported(),
        auth_cancelled(),
        server_speaks_first(),
        bad_auth_response(),
        authenticated(),
        authentication_failed(),
        authentication_outdated(),
        authentication_unavailable(),
        reverse_path_ok(),
        recipient_ok(),
        size_over_limit(),
        too_many_recipients(),
        relaying_denied(),
        no_such_mailbox(),
        not_verified(),
        answer_needs_smtputf8(),
        help(["HELO"].into_iter()),
        no_such_topic(),
        send_content(),
        chunk_ok(),
        chunk_missing(),
        content_over_limit(),
        bare_line_end("LF", 1),
        chunk_too_large(),
        loop_detected(),
        no_room(),
        reverse_path_not_yours(),
        author_not_yours(),
        local_error(),
        client_denied(),
        connects_too_often(Duration::from_secs(35)),
        too_often("messages", Duration::from_secs(35)),
        login_locked(Duration::from_secs(35)),
        reverse_path_denied(),
        recipient_denied(),
        routed_recipient(),
        talked_ahead(),
        helo_refused("is our own", true),
        reverse_name_refused("192.0.2.41", true),
        sender_domain_refused(true),
        null_mx(),
        listed("192.0.2.41", "zen.spamhaus.org", "https://example.org/", true),
        not_checked(),
        greylisted(Duration::from_secs(300)),
        recipient_not_checked(),
        turn_refused(),
        verified("bob@b.test"),
        expanded(["bob@b.test"].into_iter()),
        not_expanded(),
        no_such_list(),
        nothing_waits(),
        queue_started(2),
        no_such_node(),
        node_not_allowed(),
        reversing(),
        no_mail_for_you(),
        reversal_refused(),
        too_many_transactions(),
        no_recipients_for_lmtp(),
        priority_lowered(0),
        deliver_by_too_soon(),
        held_too_long(),
        solicitation_refused(),
        mailbox_owner_changed(),
        reverse_path_incomplete(),
        forward_path_incomplete(),
        noted(),
        exchange_needs_auth(),
        send_exchange_properties(),
        exchange_properties_discarded(),
        no_link_state(),
    ]
}

#[test]
fn every_constructor_is_listed() {
    let made: Vec<&str> = TEXTS
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("pub fn "))
        .filter_map(|rest| rest.split(['(', '<']).next())
        .collect();
    let listed: Vec<&str> = all().iter().map(|(name, _)| *name).collect();
    assert_eq!(listed, made, "list new replies in `all`, in the order of texts.rs");
}

/// What the same constructors say when it is not for good.
fn for_now() -> Vec<(&'static str, Reply)> {
    replies![
        helo_refused("has no address", false),
        reverse_name_refused("192.0.2.41", false),
        sender_domain_refused(false),
        listed("192.0.2.41", "zen.spamhaus.org", "", false),
    ]
}

#[test]
fn every_reply_means_something() {
    for (name, reply) in all().into_iter().chain(for_now()) {
        if let Some(status) = reply.status {
            assert!(is_registered(status), "{name}: {status} is not registered; use one that is");
            // RFC 2034 section 4: the class agrees with the code.
            assert_eq!(u16::from(status.class), reply.code / 100, "{name}: {reply}");
        }
        let known = CODES.iter().any(|row| match row.key {
            Key::At(code, _) | Key::Code(code) => code == reply.code,
            Key::Status(..) | Key::Class(_) => false,
        });
        assert!(known, "{name}: no row for {} in meanings/codes.rs", reply.code);
    }
}
