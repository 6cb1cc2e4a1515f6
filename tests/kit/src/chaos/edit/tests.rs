//! Whole conversations, piece by piece.

use super::super::mishap::Aim;
use super::*;

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short");
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

fn startup(application: &str) -> Vec<u8> {
    let fields = format!("user\0app\0application_name\0{application}\0\0");
    let body = [&[0, 3, 0, 0], fields.as_bytes()].concat();
    message(0, &body)[1..].to_vec()
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// An editor of a connection that has logged in, and nothing armed.
fn ready_editor() -> (Editor, Arsenal) {
    let (mut editor, arsenal) = (Editor::new(fastrand::Rng::with_seed(7)), Arsenal::default());
    let hello = startup("shop");
    assert_eq!(editor.request(&hello, &arsenal).bytes, hello);
    let welcome = [message(b'R', &[0; 4]), ready()].concat();
    assert_eq!(editor.answer(&welcome, &arsenal).bytes, welcome);
    (editor, arsenal)
}

#[test]
fn nothing_is_changed_or_copied_while_nothing_is_armed() {
    let (mut editor, arsenal) = ready_editor();
    let query = message(b'Q', b"SELECT 1\0");
    assert!(matches!(editor.request(&query, &arsenal).bytes, Cow::Borrowed(_)));
    for piece in [message(b'D', b"row"), ready()].concat().chunks(4) {
        let edited = editor.answer(piece, &arsenal);
        assert!(matches!(edited.bytes, Cow::Borrowed(bytes) if bytes == piece));
    }
}

#[test]
fn a_message_is_cut_in_its_body_or_its_header() {
    for (mishap, then) in
        [(Mishap::ResetInMessage, Then::Lose(Loss::Reset)), (Mishap::TruncateMessage, Then::Finish)]
    {
        for (whole, part) in [(message(b'D', b"abcdef"), 8), (message(b'2', b""), 4)] {
            let (mut editor, arsenal) = ready_editor();
            arsenal.arm(mishap, Aim::Any);
            let edited = editor.answer(&whole, &arsenal);
            assert_eq!((&*edited.bytes, edited.then), (&whole[..part], then));
            assert!(edited.shot.is_some());
        }
    }
}

#[test]
fn garbage_takes_the_place_of_one_message() {
    let (mut editor, arsenal) = ready_editor();
    arsenal.arm(Mishap::Garbage, Aim::Any);
    let answer = [message(b'D', b"abcdef"), ready()].concat();
    let edited = editor.answer(&answer, &arsenal);
    let (garbage, rest) = edited.bytes.split_at(GARBAGE);
    assert!(garbage.iter().all(|byte| *byte >= 0x80));
    assert_eq!(rest, ready());
    assert_eq!(edited.then, Then::GoOn);
    assert!(edited.shot.is_some());
}

#[test]
fn the_answer_to_the_commit_is_lost_and_no_other() {
    let (mut editor, arsenal) = ready_editor();
    arsenal.arm(Mishap::LoseAnswer(Loss::Silence), Aim::Commit);
    let both = [message(b'Q', b"INSERT\0"), message(b'Q', b" commit\0")].concat();
    assert_eq!(editor.request(&both, &arsenal).bytes, both);
    let first = [message(b'C', b"INSERT 0 1\0"), ready()].concat();
    let second = [message(b'C', b"COMMIT\0"), ready()].concat();
    let answer = [&first[..], &second[..8]].concat();
    let edited = editor.answer(&answer, &arsenal);
    assert_eq!((&*edited.bytes, edited.then), (&first[..], Then::GoOn));
    assert!(edited.shot.is_none(), "the server has not answered yet");
    let edited = editor.answer(&second[8..], &arsenal);
    assert_eq!((&*edited.bytes, edited.then), (&[][..], Then::Lose(Loss::Silence)));
    assert!(edited.shot.is_some());
}

#[test]
fn a_prepared_statement_is_met_where_it_is_executed() {
    let (mut editor, arsenal) = ready_editor();
    let parse = [message(b'P', b"s1\0INSERT INTO t\0\0\0"), message(b'S', b"")].concat();
    let execute = [message(b'B', b"\0s1\0\0\0\0\0\0\0"), message(b'E', b"\0\0\0\0\0")].concat();
    let aim = || Aim::Statement("INTO t".to_owned());
    arsenal.arm(Mishap::LoseAnswer(Loss::Reset), aim());
    editor.request(&parse, &arsenal);
    let parsed = [message(b'1', b""), ready()].concat();
    assert_eq!(editor.answer(&parsed, &arsenal).bytes, parsed);
    editor.request(&execute, &arsenal);
    editor.request(&message(b'S', b""), &arsenal);
    let bound = [message(b'2', b""), ready()].concat();
    let edited = editor.answer(&bound, &arsenal);
    assert_eq!((&*edited.bytes, edited.then), (&[][..], Then::Lose(Loss::Reset)));
    arsenal.arm(Mishap::LoseRequest(Loss::Reset), aim());
    let edited = editor.request(&execute, &arsenal);
    assert_eq!((&*edited.bytes, edited.then), (&[][..], Then::Lose(Loss::Reset)));
}

#[test]
fn an_application_is_known_by_its_name_and_a_disarmed_mishap_does_not_happen() {
    let (mut editor, arsenal) = ready_editor();
    arsenal.arm(Mishap::ResetInMessage, Aim::Application("other".to_owned()));
    assert_eq!(editor.answer(&ready(), &arsenal).then, Then::GoOn);
    let armed = arsenal.arm(Mishap::ResetInMessage, Aim::Application("shop".to_owned()));
    armed.disarm();
    assert_eq!(editor.answer(&ready(), &arsenal).then, Then::GoOn);
    arsenal.arm(Mishap::ResetInMessage, Aim::Application("shop".to_owned()));
    assert_eq!(editor.answer(&ready(), &arsenal).then, Then::Lose(Loss::Reset));
}

#[test]
fn in_an_encrypted_connection_records_are_met() {
    let (mut editor, arsenal) = (Editor::new(fastrand::Rng::new()), Arsenal::default());
    let request = [0, 0, 0, 8, 4, 210, 22, 47];
    assert!(editor.request(&request, &arsenal).asks_for_tls);
    arsenal.arm(Mishap::ResetInMessage, Aim::Any);
    assert_eq!(&*editor.answer(b"S", &arsenal).bytes, b"S");
    let record = [23, 3, 3, 0, 4, b'Q', 0, 0, 0];
    assert_eq!(&*editor.request(&record, &arsenal).bytes, record);
    let edited = editor.answer(&record, &arsenal);
    assert_eq!((&*edited.bytes, edited.then), (&record[..7], Then::Lose(Loss::Reset)));
}

/// A packet of MySQL.
fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    [&[body.len() as u8, 0, 0, number], body].concat()
}

#[test]
fn packets_of_mysql_are_told_apart() {
    let (mut editor, arsenal) = (Editor::mysql(fastrand::Rng::with_seed(7)), Arsenal::default());
    let ok = |number, more| packet(number, &[0, 0, 0, if more { 0x0A } else { 2 }, 0, 0, 0]);
    let greeting = packet(0, b"\x0a10.11\0");
    assert_eq!(editor.answer(&greeting, &arsenal).bytes, greeting);
    let login = packet(1, &[7; 60]);
    assert_eq!(editor.request(&login, &arsenal).bytes, login);
    editor.answer(&ok(2, false), &arsenal);
    arsenal.arm(Mishap::LoseAnswer(Loss::Reset), Aim::Commit);
    let other = packet(0, b"\x03SELECT 1");
    assert_eq!(editor.request(&other, &arsenal).bytes, other);
    assert_eq!(editor.answer(&ok(1, false), &arsenal).then, Then::GoOn);
    let commit = packet(0, b"\x03INSERT INTO t VALUES (1); COMMIT");
    assert_eq!(editor.request(&commit, &arsenal).bytes, commit);
    let (first, second) = (ok(1, true), ok(2, false));
    let first = editor.answer(&first, &arsenal);
    assert_eq!((&*first.bytes, first.then), (&[][..], Then::GoOn), "the COMMIT is to come");
    let second = editor.answer(&second, &arsenal);
    assert_eq!((&*second.bytes, second.then), (&[][..], Then::Lose(Loss::Reset)));
}
