//! The second process: it is told tokens, and reads.
//!
//! A question is a line `number adapter row token`, an answer `number value` or `number ! words`.
//! The question `share` is answered with the share of its reads that readers served.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use aurora_tests::door::Door;
use aurora_tests::stand::connect_url;
use tokio::sync::oneshot;
use tokio::task::block_in_place;

use crate::Failed;
use crate::stage::{self, open_all};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

type Waiting = Arc<Mutex<(u64, HashMap<u64, oneshot::Sender<String>>)>>;

/// The second process, as the first one sees it; it ends with this.
pub(crate) struct Other {
    waiting: Waiting,
    questions: mpsc::Sender<String>,
    process: Mutex<Child>,
}

impl Other {
    pub(crate) fn start(url: &str) -> Result<Arc<Self>, Failed> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--answer", url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut to = process.stdin.take().ok_or("the second process has no input")?;
        let from = process.stdout.take().ok_or("the second process has no output")?;
        let (questions, asked) = mpsc::channel::<String>();
        // Each ends with its pipe.
        thread::spawn(move || {
            asked.iter().try_for_each(|question| to.write_all(question.as_bytes()))
        });
        let waiting = Waiting::default();
        let heard = Arc::clone(&waiting);
        thread::spawn(move || hear(BufReader::new(from).lines(), &heard));
        Ok(Arc::new(Self { waiting, questions, process: Mutex::new(process) }))
    }

    /// What the row holds there, in a session that requires the token.
    pub(crate) async fn ask(&self, adapter: usize, row: usize, token: &str) -> Result<i64, String> {
        let answer = self.put(&format!("{adapter} {row} {token}")).await?;
        answer.parse().map_err(|_| format!("the second process: {answer}"))
    }

    /// Of a hundred reads there so many were served by readers.
    pub(crate) async fn share(&self) -> Result<f64, Failed> {
        Ok(self.put("share").await?.parse()?)
    }

    async fn put(&self, question: &str) -> Result<String, String> {
        let (to, answer) = oneshot::channel();
        let number = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.0 += 1;
            let number = waiting.0;
            waiting.1.insert(number, to);
            number
        };
        let _ = self.questions.send(format!("{number} {question}\n"));
        let answer = tokio::time::timeout(LIMIT, answer).await;
        answer.map_err(|_| "the second process does not answer")?.map_err(|_| "it ended".to_owned())
    }
}

fn hear(lines: Lines<BufReader<ChildStdout>>, waiting: &Waiting) {
    for line in lines.map_while(Result::ok) {
        let Some((number, answer)) = line.split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(to) = waiting.1.remove(&number) {
            let _ = to.send(answer.to_owned());
        }
    }
    // Whoever waits is told by this that there will be no answer.
    waiting.lock().unwrap_or_else(PoisonError::into_inner).1.clear();
}

impl Drop for Other {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// Is the second process: answers until the input ends.
pub(crate) async fn answer(url: &str) -> Result<(), Failed> {
    let cluster = block_in_place(|| connect_url(url))?;
    let doors = open_all(&cluster).await;
    let (to, answers) = mpsc::channel::<String>();
    let writer = thread::spawn(move || {
        let mut out = std::io::stdout();
        answers.iter().try_for_each(|answer| {
            out.write_all(answer.as_bytes())?;
            out.flush()
        })
    });
    let (line_to, mut questions) = tokio::sync::mpsc::unbounded_channel();
    thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        lines.map(|line| line_to.send(line)).take_while(Result::is_ok).for_each(drop);
    });
    while let Some(line) = questions.recv().await {
        let parts: Vec<&str> = line.split(' ').collect();
        match *parts.as_slice() {
            [number, "share"] => {
                let (writer, readers) = stage::queries(&cluster);
                let share = readers as f64 / (writer + readers).max(1) as f64 * 100.0;
                to.send(format!("{number} {share}\n"))?;
            }
            [number, adapter, row, token] => {
                let door = Arc::clone(doors.get(adapter.parse::<usize>()?).ok_or("no adapter")?);
                let (number, row) = (number.to_owned(), row.to_owned());
                let (token, to) = (token.to_owned(), to.clone());
                tokio::spawn(async move {
                    let found = look(&*door, &row, &token).await;
                    let found = found.unwrap_or_else(|text| format!("! {text}"));
                    let _ = to.send(format!("{number} {found}\n"));
                });
            }
            _ => return Err(format!("not a question: {line}").into()),
        }
    }
    drop(to);
    let ended = block_in_place(|| writer.join());
    ended.map_err(|_| "the thread that writes answers panicked")??;
    Ok(())
}

async fn look(door: &dyn Door, row: &str, token: &str) -> Result<String, String> {
    let mut session = door.session().await.map_err(|failure| failure.to_string())?;
    session.require(token).await.map_err(|failure| failure.to_string())?;
    let read = format!("SELECT n FROM marks WHERE id = {row}");
    let found = session.number(&read).await.map_err(|failure| failure.to_string())?;
    Ok(found.to_string())
}
