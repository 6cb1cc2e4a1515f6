use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::topology::{Inherited, Sampled};

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
        topology.sampled = Some(Sampled { incarnation, moments: moments.into() });
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
