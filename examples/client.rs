//! [`Client`]: sends requests to a service with users, and keeps books about the answers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::{self, Reply};
use crate::{Error, LocalCluster};

/// The longest wait for an answer of a certain kind.
const LIMIT: Duration = Duration::from_secs(60);

/// Creates users with `POST /users`, each once, and notes what became of each.
#[derive(Debug)]
pub struct Client {
    service: SocketAddr,
    sent: usize,
    created: Vec<String>,
    refused: Vec<String>,
    in_doubt: Vec<String>,
}

impl Client {
    /// A client of the service at this address.
    #[must_use]
    pub fn new(service: SocketAddr) -> Self {
        let (created, refused, in_doubt) = Default::default();
        Self { service, sent: 0, created, refused, in_doubt }
    }

    /// Asks for a user with a new name. The answer is 201, 503 (nothing was done) or 500 (nobody
    /// knows).
    ///
    /// # Errors
    ///
    /// When there is no such answer.
    ///
    /// # Cancel safety
    ///
    /// The user may have been created, and is not in the books.
    pub async fn create(&mut self) -> Result<Reply, Error> {
        self.sent += 1;
        let name = format!("user {}", self.sent);
        let reply = http::post(self.service, "/users", &json!({ "name": name })).await?;
        match reply.status {
            201 => self.created.push(name),
            503 => self.refused.push(name),
            500 => self.in_doubt.push(name),
            _ => return Err(format!("POST /users: {reply:?}").into()),
        }
        Ok(reply)
    }

    /// Goes on creating users until the answer has this status.
    ///
    /// # Errors
    ///
    /// When there is no such answer within a minute.
    ///
    /// # Cancel safety
    ///
    /// As [`Self::create`].
    pub async fn create_until(&mut self, status: u16) -> Result<Reply, Error> {
        let end = Instant::now() + LIMIT;
        loop {
            let reply = self.create().await?;
            if reply.status == status {
                return Ok(reply);
            }
            if Instant::now() > end {
                return Err(format!("no answer {status} within {LIMIT:?}: {reply:?}").into());
            }
        }
    }

    /// Creates that many users, and lists all after each, which has to succeed every time.
    ///
    /// # Errors
    ///
    /// When there is no answer, as in [`Self::create`], or the list is refused.
    ///
    /// # Cancel safety
    ///
    /// As [`Self::create`].
    pub async fn create_and_list(&mut self, users: usize) -> Result<(), Error> {
        for _ in 0..users {
            self.create().await?;
            let reply = http::get(self.service, "/users").await?;
            if reply.status != 200 {
                return Err(format!("GET /users: {reply:?}").into());
            }
        }
        Ok(())
    }

    /// Compares the books with the table `users` of the writer, which is asked past the library.
    ///
    /// # Errors
    ///
    /// When the table cannot be read.
    ///
    /// # Panics
    ///
    /// When a user who was said to be created is not there or there twice, when one who was
    /// refused is there, or when more than one is in doubt.
    ///
    /// # Cancel safety
    ///
    /// Safe: it changes nothing.
    pub async fn check(&self, local: &LocalCluster) -> Result<(), Error> {
        let names = local.run(|kit| -> Result<Vec<String>, Error> {
            let rows = kit.client(kit.writer())?.query("SELECT name FROM users", &[])?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        });
        let names = names.await?;
        let times = |name: &String| names.iter().filter(|found| *found == name).count();
        let there = |list: &[String]| list.iter().map(times).sum::<usize>();
        let committed = there(&self.in_doubt);
        println!(
            "{} users created, {} of them found; {} refused, {} found; {} in doubt, {} found",
            self.created.len(),
            there(&self.created),
            self.refused.len(),
            there(&self.refused),
            self.in_doubt.len(),
            committed,
        );
        assert!(self.created.iter().all(|name| times(name) == 1), "lost or doubled");
        assert_eq!(there(&self.refused), 0, "said not to be applied");
        assert!(self.in_doubt.len() <= 1, "at most the one that was under way");
        assert_eq!(names.len(), self.created.len() + committed, "users from nowhere");
        Ok(())
    }
}
