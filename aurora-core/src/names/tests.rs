use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;

use super::*;

const LATE: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_secs(20);

/// What a scripted resolver does with a question.
enum Step {
    Answer(&'static [[u8; 4]]),
    Fail,
    Hang,
    Panic,
}

/// Answers by script, and with the last step for ever.
#[derive(Clone, Default)]
struct Script {
    steps: Arc<Mutex<VecDeque<Step>>>,
    asked: Arc<AtomicUsize>,
}

impl Script {
    fn then(self, step: Step) -> Self {
        self.steps.lock().unwrap().push_back(step);
        self
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Script {
    fn resolve<'a>(&'a self, _: &'a str) -> Resolving<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let step = self.steps.lock().unwrap().pop_front().unwrap_or(Step::Hang);
        Box::pin(async move {
            match step {
                Step::Answer(ips) => Ok(ips.iter().copied().map(IpAddr::from).collect()),
                Step::Fail => Err(io::Error::other("SERVFAIL")),
                Step::Hang => std::future::pending().await,
                Step::Panic => panic!("a bug in the resolver"),
            }
        })
    }
}

fn names(script: &Script) -> Names {
    Names::new(Some(Arc::new(script.clone())), LATE)
}

fn ip(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

#[tokio::test]
async fn an_ip_address_is_not_asked_for() {
    let script = Script::default();
    let names = names(&script);
    assert_eq!(names.resolve("10.0.0.7", TIMEOUT).await.unwrap(), [ip(7)]);
    assert_eq!(names.resolve("::1", TIMEOUT).await.unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
    assert!(!names.has_left("10.0.0.7", ip(1)));
    assert_eq!(script.asked(), 0);
}

#[tokio::test]
async fn a_fresh_answer_replaces_the_one_before() {
    let script = Script::default();
    let script = script.then(Step::Answer(&[[10, 0, 0, 1]])).then(Step::Answer(&[[10, 0, 0, 2]]));
    let names = names(&script);
    assert_eq!(names.resolve("a", TIMEOUT).await.unwrap(), [ip(1)]);
    assert_eq!(names.resolve("a", TIMEOUT).await.unwrap(), [ip(2)]);
}

#[tokio::test]
async fn the_last_answer_is_used_while_the_resolver_fails_or_is_late() {
    for step in [Step::Fail, Step::Answer(&[]), Step::Panic, Step::Hang] {
        let script = Script::default().then(Step::Answer(&[[10, 0, 0, 1]])).then(step);
        let names = names(&script);
        assert_eq!(names.resolve("a", TIMEOUT).await.unwrap(), [ip(1)]);
        assert_eq!(names.resolve("a", TIMEOUT).await.unwrap(), [ip(1)]);
        assert_eq!(script.asked(), 2);
    }
}

#[tokio::test]
async fn without_an_answer_the_error_names_the_host_and_the_remedy() {
    let words = [(Step::Fail, "SERVFAIL"), (Step::Answer(&[]), "no address"), (Step::Panic, "it")];
    for (step, word) in words {
        let names = names(&Script::default().then(step));
        let failure = names.resolve("db.test", TIMEOUT).await.unwrap_err();
        let text = failure.into_error().to_string();
        assert!(text.contains("db.test") && text.contains(word), "{text}");
        assert!(text.contains("check the host name"), "{text}");
    }
    let names = names(&Script::default().then(Step::Hang));
    let failure = names.resolve("db.test", LATE).await.unwrap_err();
    assert!(failure.settles(true), "another connection cannot fare better");
    let text = failure.into_error().to_string();
    assert!(text.contains("db.test") && text.contains("the resolver has not answered"), "{text}");
    assert!(text.contains("IP address instead"), "{text}");
}

#[tokio::test]
async fn a_silent_resolver_is_asked_once_whoever_asks() {
    let script = Script::default().then(Step::Hang).then(Step::Hang);
    let names = names(&script);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let names = names.clone();
        asking.spawn(async move { names.resolve("a", LATE).await.is_err() });
    }
    while let Some(failed) = asking.join_next().await {
        assert!(failed.unwrap());
    }
    assert!(names.resolve("a", LATE).await.is_err());
    assert_eq!(script.asked(), 1);
    assert!(names.resolve("b", LATE).await.is_err());
    assert_eq!(script.asked(), 2, "another host is another question");
}

#[tokio::test]
async fn after_a_failure_the_resolver_is_asked_again() {
    for step in [Step::Fail, Step::Panic] {
        let script = Script::default().then(step).then(Step::Answer(&[[10, 0, 0, 1]]));
        let names = names(&script);
        assert!(names.resolve("a", TIMEOUT).await.is_err());
        assert_eq!(names.resolve("a", TIMEOUT).await.unwrap(), [ip(1)]);
    }
}

#[tokio::test]
async fn a_lookup_by_a_resolver_of_the_users_is_given_up() {
    let script = Script::default().then(Step::Hang).then(Step::Answer(&[[10, 0, 0, 1]]));
    let mut names = names(&script);
    Arc::get_mut(&mut names.0).unwrap().longest = LATE;
    assert!(names.look_up("a").end.wait_for(Option::is_some).await.is_ok());
    assert_eq!(names.resolve("a", TIMEOUT).await.unwrap(), [ip(1)]);
}

#[tokio::test]
async fn a_name_is_looked_up_again_from_time_to_time_but_not_that_of_many() {
    let script = Script::default();
    let script = script.then(Step::Answer(&[[10, 0, 0, 1]])).then(Step::Answer(&[[10, 0, 0, 2]]));
    let names = names(&script);
    names.0.has_writer.store(true, Ordering::Relaxed);
    assert!(!names.has_left("a", ip(1)), "not known yet");
    assert!(names.look_up("a").end.wait_for(Option::is_some).await.is_ok());
    assert!(!names.has_left("a", ip(1)));
    assert_eq!(names.resolve("a", TIMEOUT).await.unwrap(), [ip(2)]);
    assert!(!names.has_left("a", ip(1)), "a new answer has to settle while all is well");
    names.0.has_writer.store(false, Ordering::Relaxed);
    assert!(names.has_left("a", ip(1)), "without a writer it is followed at once");
    let reader_endpoint = "shop.cluster-ro-c1a2b3.eu-west-1.rds.amazonaws.com";
    assert!(!names.look_again(&Address::new(reader_endpoint, 5432), ip(1)));
    assert!(names.known().get(reader_endpoint).is_none());
}

#[tokio::test]
async fn the_operating_system_is_asked_by_default() {
    let names = Names::new(None, LATE);
    let found = names.resolve("localhost", TIMEOUT).await.unwrap();
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
    assert!(names.resolve("no-such-host.invalid", TIMEOUT).await.is_err());
}

#[tokio::test]
async fn a_connect_goes_on_to_the_next_address_and_reports_refusal_only_of_all() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (closed, open) = ([127, 9, 9, 9].into(), [127, 0, 0, 1].into());
    let (_, reached) = reach(vec![closed, open], port).await.unwrap();
    assert_eq!(reached, open);
    let failure = reach(vec![closed, [127, 9, 9, 8].into()], port).await.unwrap_err();
    assert!(failure.is_refusal());
    assert!(reach(Vec::new(), port).await.is_err());
}
