use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::topology::{Ended, Inherited, Reign, Sampled};

fn token(timeline: Option<u64>, position: u64) -> CausalToken {
    CausalToken::new("7570281326987382650".to_owned(), timeline, position)
}

#[test]
fn the_text_is_url_safe_and_is_read_again() {
    for (cluster, timeline, position) in [
        ("", None, 0),
        ("7570281326987382650", Some(1), 3_262_144),
        ("shop@c1a2b3.eu-west-1.rds.amazonaws.com", None, u64::MAX),
        ("ü", Some(u64::MAX), 127),
    ] {
        let token = CausalToken::new(cluster.to_owned(), timeline, position);
        let text = token.to_string();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{text}");
        assert_eq!(text.parse::<CausalToken>().unwrap(), token);
        let json = serde_json::to_string(&token).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<CausalToken>(&json).unwrap(), token);
    }
}

/// What "a" wrote after 90 transactions of others.
fn reign(origin: &str, began: u64) -> Option<Reign> {
    Some(Reign { origin: origin.into(), began })
}

#[test]
fn a_token_of_mysql_is_read_again() {
    for (cluster, origin) in [("71", "2"), ("", "7b3f3b0e-8b1f-11ee-b9d1-0242ac120002")] {
        let token = CausalToken::new(cluster.to_owned(), None, 1_234_567);
        let token = token.in_reign(reign(origin, 90));
        let read: CausalToken = token.to_string().parse().unwrap();
        assert_eq!(read, token);
        assert_eq!((read.origin(), read.timeline()), (Some(origin), None));
    }
    let text = CausalToken::new("71".to_owned(), None, 300).in_reign(reign("2", 90)).to_string();
    assert_eq!(text, "AQICNzEBMlqsAiisQ1I");
}

#[test]
fn what_a_token_of_mysql_means_depends_on_who_has_written() {
    let now = Instant::now();
    let asked_at = now.checked_sub(Duration::from_millis(300)).unwrap();
    let mut topology = Topology::new(Vec::new());
    let token = |reign, position| token(None, position).in_reign(reign);
    assert_eq!(judge(&token(reign("a", 0), 5), &topology, now), None, "no writer is known");
    let lost = Some(Judgement::MayBeLost);
    let holds = |required| Some(Judgement::Holds { required });
    topology.ended =
        Arc::new([Ended { reign: Reign { origin: "a".into(), began: 0 }, position: 95 }]);
    let mut at = |ours, asked_at, token| {
        let moments = Arc::new([(asked_at, 100)]);
        topology.sampled = Some(Sampled { incarnation: None, reign: ours, moments });
        judge(&token, &topology, now)
    };
    assert_eq!(at(reign("b", 95), asked_at, token(reign("b", 95), 100)), holds(asked_at));
    assert_eq!(at(reign("b", 95), asked_at, token(reign("b", 95), 101)), holds(now));
    assert_eq!(at(reign("b", 95), asked_at, token(reign("a", 0), 95)), holds(asked_at));
    assert_eq!(at(reign("b", 95), asked_at, token(reign("a", 0), 96)), lost);
    // Another reign of the same server, and one of which nothing is known, may be a later one: until
    // the writer that is known has been asked once more.
    for unknown in [reign("b", 90), reign("a", 100), reign("c", 95)] {
        assert_eq!(at(reign("b", 95), asked_at, token(unknown.clone(), 10)), None);
        assert_eq!(at(reign("b", 95), now, token(unknown, 10)), lost);
    }
    // One of us is of another family, or does not log.
    assert_eq!(at(reign("b", 95), asked_at, token(None, 10)), lost);
    assert_eq!(at(None, asked_at, token(reign("b", 95), 10)), lost);
}

#[test]
fn the_format_stays_what_it_is() {
    let text = "AQETNzU3MDI4MTMyNjk4NzM4MjY1MAHAjccBMucGPQ";
    assert_eq!(token(Some(1), 3_262_144).to_string(), text);
    // The check value that everybody gives for this checksum.
    assert_eq!(text::checksum(b"123456789"), 0xcbf4_3926);
}

#[test]
fn no_change_of_one_letter_goes_unnoticed() {
    let text = token(Some(3), 123_456_789).to_string();
    for place in 0..text.len() {
        for other in ["A", "z", "0", "-", "_", "=", "+", "ä"] {
            if text[place..].starts_with(other) {
                continue;
            }
            let mut changed = text.clone();
            changed.replace_range(place..=place, other);
            let error = changed.parse::<CausalToken>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Protocol, "{changed}");
        }
        assert!(text[..place].parse::<CausalToken>().is_err(), "cut off at {place}");
    }
}

#[test]
fn formats_and_kinds_of_the_future_are_refused_as_such() {
    let with = |place: usize| {
        let mut bytes = token(None, 1).bytes();
        bytes[place] = 9;
        let length = bytes.len() - 4;
        let sum = text::checksum(&bytes[..length]).to_be_bytes();
        bytes[length..].copy_from_slice(&sum);
        text::encode(&bytes).parse::<CausalToken>().unwrap_err().to_string()
    };
    assert!(with(0).contains("format"), "{}", with(0));
    assert!(with(1).contains("kind of server"), "{}", with(1));
    let random = fastrand::Rng::with_seed(7);
    let mut random = random;
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..random.usize(0..64)).map(|_| random.u8(..)).collect();
        let decoded = text::decode(&text::encode(&bytes)).unwrap();
        assert_eq!(decoded, bytes);
        let _ = CausalToken::of_bytes(&bytes);
    }
}

#[test]
fn what_a_token_means_depends_on_its_history() {
    let now = Instant::now();
    let asked_at = now.checked_sub(Duration::from_millis(300)).unwrap();
    let holds = |required| Judgement::Holds { required };
    let (earlier, there, later) =
        (holds(asked_at - Duration::from_secs(1)), holds(asked_at), holds(now));
    let mut topology = Topology::new(Vec::new());
    assert_eq!(judge(&token(Some(1), 5), &topology, now), None, "no writer is known");
    topology.inherited = Arc::new([Inherited { incarnation: 2, position: 700 }]);
    let mut at = |token: CausalToken, incarnation| {
        let moments = [(asked_at - Duration::from_secs(1), 600), (asked_at, 1000)];
        topology.sampled = Some(Sampled { incarnation, reign: None, moments: moments.into() });
        judge(&token, &topology, now)
    };
    for (timeline, position, ours, expected) in [
        (Some(3), 600, Some(3), Some(earlier)),
        (Some(3), 601, Some(3), Some(there)),
        (Some(3), 1000, Some(3), Some(there)),
        (Some(3), 1001, Some(3), Some(later)),
        (None, 999, None, Some(there)),
        (None, 5000, None, Some(later)),
        // It knows of a failover that we do not know of.
        (Some(4), 10, Some(3), None),
        (Some(2), 700, Some(3), Some(there)),
        (Some(2), 701, Some(3), Some(Judgement::MayBeLost)),
        (Some(1), 10, Some(3), Some(Judgement::MayBeLost)),
        // One of us knows the timeline, and one does not: nothing can be compared.
        (None, 10, Some(3), Some(Judgement::MayBeLost)),
        (Some(3), 10, None, Some(Judgement::MayBeLost)),
    ] {
        assert_eq!(
            at(token(timeline, position), ours),
            expected,
            "{timeline:?} {position} {ours:?}"
        );
    }
}
