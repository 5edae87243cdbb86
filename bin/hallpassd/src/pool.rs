//! The threads that answer questions, and the queue before them.

use std::sync::Arc;
use std::thread;
use std::time::SystemTime;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use hallpass_core::{
    Authenticator, Configuration, Deadline, Question, Throttle, Unavailable, Verdict,
};
use tokio::sync::oneshot;

/// Threads that each have an authenticator of their own, and take questions from one queue.
#[derive(Clone, Debug)]
pub struct Pool {
    queue: Sender<Job>,
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
        let throttle = Arc::new(Throttle::new(&configuration.limits));
        let (queue, waiting) = crossbeam_channel::bounded(configuration.daemon.queue);
        for number in 0..threads {
            let (configuration, waiting) = (Arc::clone(configuration), waiting.clone());
            let throttle = Arc::clone(&throttle);
            thread::Builder::new()
                .name(format!("worker {number}"))
                .spawn(move || work(&configuration, throttle, &waiting))?;
        }
        Ok(Self { queue })
    }

    /// The verdict on `question`: at once when the queue is full, and by `deadline` at the latest.
    pub async fn ask(&self, question: Question, deadline: Deadline) -> Verdict {
        let (answer, verdict) = oneshot::channel();
        if let Err(refused) = self.queue.try_send(Job {
            question,
            deadline,
            answer,
        }) {
            let message = match refused {
                TrySendError::Full(_) => "the queue is full",
                TrySendError::Disconnected(_) => "no thread takes questions",
            };
            return Unavailable::new(message).into();
        }
        match tokio::time::timeout_at(deadline.instant().into(), verdict).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Unavailable::new("the question was not answered").into(),
            Err(_) => Unavailable::new("no answer came within `deadline`").into(),
        }
    }
}

fn work(configuration: &Configuration, throttle: Arc<Throttle>, waiting: &Receiver<Job>) {
    let mut authenticator = Authenticator::new(configuration).throttled(throttle);
    for Job {
        question,
        deadline,
        answer,
    } in waiting
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
