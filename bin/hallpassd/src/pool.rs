//! The threads that answer questions, and the queue before them.

use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use hallpass_core::{
    Authenticator, Configuration, Deadline, Question, Shared, Unavailable, Verdict,
};
use tokio::sync::oneshot;

use crate::queue::Queue;

/// Threads that each have an authenticator of their own, and take questions from one queue.
#[derive(Debug)]
pub struct Pool {
    queue: Arc<Queue<Job>>,
}

#[derive(Debug)]
struct Job {
    question: Question,
    deadline: Deadline,
    answer: oneshot::Sender<Verdict>,
}

impl Pool {
    /// Starts the threads that `configuration` asks for. They end when the pool is dropped.
    pub fn start(configuration: &Arc<Configuration>) -> std::io::Result<Self> {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let threads = configuration.daemon.threads.unwrap_or_else(cores);
        let shared = Arc::new(Shared::new(configuration));
        let queue = Arc::new(Queue::new(configuration.daemon.queue));
        for number in 0..threads {
            let (configuration, queue) = (Arc::clone(configuration), Arc::clone(&queue));
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("worker {number}"))
                .spawn(move || work(&configuration, shared, &queue))?;
        }
        Ok(Self { queue })
    }

    /// The verdict on `question`: at once when the queue is full, and by `deadline` at the latest.
    pub async fn ask(&self, question: Question, deadline: Deadline) -> Verdict {
        let (answer, verdict) = oneshot::channel();
        if !self.queue.put(Job {
            question,
            deadline,
            answer,
        }) {
            return Unavailable::new("the queue is full").into();
        }
        match tokio::time::timeout_at(deadline.instant().into(), verdict).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Unavailable::new("the question was not answered").into(),
            Err(_) => Unavailable::new("no answer came within `deadline`").into(),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn work(configuration: &Configuration, shared: Arc<Shared>, queue: &Queue<Job>) {
    let mut authenticator = Authenticator::new(configuration).sharing(shared);
    while let Some(Job {
        question,
        deadline,
        answer,
    }) = queue.take()
    {
        // Whoever asked has been told already that there is no answer.
        if answer.is_closed() || deadline.passed() {
            continue;
        }
        let verdict = authenticator.answer(&question, SystemTime::now(), deadline);
        // And here they have given up while it was found.
        drop(answer.send(verdict));
    }
}
