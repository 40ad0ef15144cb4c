//! `repl`: a conversation, line by line.

mod lines;

use std::io::{self, IsTerminal};

use rusty_pinch_core::{ApprovalToken, SessionId, Turn, Verdict};
use tokio::runtime::Runtime as Tokio;

use self::lines::{Input, Lines};
use super::{approvals, session, tools};
use crate::failure::{Code, Failure};
use crate::program::{Program, Runtime};
use crate::turn::{self, Ended};

const HELP: &str = "\
/help                     this page
/tools                    the tools
/tool NAME [ARGS]         run a tool
/skill NAME [ARGS]        run a skill
/session                  the last entries of this session
/approve [TOKEN]          allow the call that waits
/reject [TOKEN] [REASON]  refuse the call that waits
exit, quit                leave (also Ctrl-D)
Ctrl-C ends the answer that is under way. Everything else is a message.";

/// Entries that `/session` shows.
const ENTRIES_SHOWN: u32 = 20;

pub(crate) fn run(program: &Program, tokio: &Tokio, session: &SessionId) -> Result<Code, Failure> {
    let is_person = io::stdin().is_terminal();
    let runtime = program.start()?;
    let lines = match is_person {
        true => Lines::of_person(&program.settings.store.data_dir.join("repl-history"))?,
        false => Lines::of_pipe(),
    };
    let brain = runtime.agent.brain();
    let (name, model) = (&brain.name, &brain.model);
    runtime.output.aside(&format!(
        "Rusty Pinch, session `{session}`, brain {name} ({model}). /help shows what can be typed, exit leaves."
    ))?;
    Repl { program, tokio, session, runtime: &runtime, is_person, waiting: None }.talk(lines)
}

struct Repl<'a> {
    program: &'a Program,
    tokio: &'a Tokio,
    session: &'a SessionId,
    runtime: &'a Runtime,
    is_person: bool,
    /// The call that waits for this person.
    waiting: Option<ApprovalToken>,
}

/// What to do after a line.
enum Next {
    GoOn,
    Leave(Code),
}

impl Repl<'_> {
    fn talk(mut self, mut lines: Lines) -> Result<Code, Failure> {
        let mut history_works = true;
        let output = &self.runtime.output;
        loop {
            let next = match lines.next(self.tokio) {
                Input::Line(line) if line.trim().is_empty() => Next::GoOn,
                Input::Line(line) => {
                    if let Err(problem) = lines.remember(&line)
                        && std::mem::take(&mut history_works)
                    {
                        output.warning(&problem);
                    }
                    self.line(line.trim())?
                }
                Input::Interrupted if self.is_person => {
                    output.aside("(Ctrl-D or exit leaves)")?;
                    Next::GoOn
                }
                Input::Interrupted => Next::Leave(Code::Interrupted),
                Input::Unusable(failure) => {
                    self.complain(&failure)?;
                    Next::GoOn
                }
                Input::End => Next::Leave(Code::Done),
            };
            if let Next::Leave(code) = next {
                output.aside("Bye.")?;
                return Ok(code);
            }
        }
    }

    fn line(&mut self, line: &str) -> Result<Next, Failure> {
        let agent = &self.runtime.agent;
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match (word.to_ascii_lowercase().as_str(), rest.trim()) {
            ("exit" | "quit" | "/exit" | "/quit", "") => Ok(Next::Leave(Code::Done)),
            ("/help", "") => self.show(HELP),
            ("/tools", "") => {
                self.tokio.block_on(agent.refresh());
                self.show(&tools::page(&agent.tools()))
            }
            ("/session", "") => self.entries(),
            ("/approve", words) => self.decide(Verdict::Approved, words),
            ("/reject", words) => self.decide(Verdict::Rejected, words),
            _ => self.answer(agent.turn(self.session, line)),
        }
    }

    fn show(&self, text: &str) -> Result<Next, Failure> {
        self.runtime.output.aside(text.trim_end())?;
        Ok(Next::GoOn)
    }

    fn entries(&self) -> Result<Next, Failure> {
        let shown = self.tokio.block_on(session::words(self.program, self.session, ENTRIES_SHOWN));
        match shown {
            Ok(text) => self.show(&text),
            Err(failure) => self.complain(&failure).map(|()| Next::GoOn),
        }
    }

    /// Decides a call that waits: the one that `words` begin with the token of, or else the one that waits here.
    fn decide(&mut self, verdict: Verdict, words: &str) -> Result<Next, Failure> {
        let (first, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
        let (token, reason) = match ApprovalToken::new(first) {
            Ok(token) => (Some(token), rest.trim()),
            // Words that are no token must not approve whatever happens to wait.
            Err(error) if verdict == Verdict::Approved && !words.is_empty() || first.starts_with("ap-") => {
                return self.show(&error.to_string());
            }
            Err(_) => (self.waiting.take(), words),
        };
        let agent = &self.runtime.agent;
        let decided = self.tokio.block_on(async {
            let token = match token {
                Some(token) => token,
                None => match self.only_waiting().await? {
                    Ok(token) => token,
                    Err(why) => return Ok(Err(why)),
                },
            };
            match verdict {
                Verdict::Approved => agent.approve(&token).await?,
                Verdict::Rejected => agent.reject(&token, if reason.is_empty() { "rejected" } else { reason }).await?,
            };
            Ok::<_, Failure>(Ok(token))
        });
        match decided {
            Ok(Ok(token)) => {
                let ended = self.tokio.block_on(turn::run(agent.settle(&token), &self.runtime.output));
                self.told(ended.of_verdict())
            }
            Ok(Err(why)) => self.show(&why),
            Err(failure) => self.complain(&failure).map(|()| Next::GoOn),
        }
    }

    /// The one call of this session that waits, or what to say when there is none, or more than one.
    async fn only_waiting(&self) -> Result<Result<ApprovalToken, String>, Failure> {
        let mut approvals = self.runtime.agent.approvals().await?;
        approvals.retain(|approval| approval.session == *self.session);
        Ok(match approvals.as_slice() {
            [] => Err("Nothing waits for an approval in this session.".to_owned()),
            [approval] => Ok(approval.token.clone()),
            several => Err(format!("Name the token of one of these:\n{}", approvals::page(several))),
        })
    }

    /// Runs a turn and shows what came of it. A turn that fails ends nothing but itself.
    fn answer(&mut self, turn: Turn) -> Result<Next, Failure> {
        let ended = self.tokio.block_on(turn::run(turn, &self.runtime.output));
        self.told(ended)
    }

    fn told(&mut self, mut ended: Ended) -> Result<Next, Failure> {
        let output = &self.runtime.output;
        let Some(concluded) = self.tokio.block_on(ended.conclude(self.runtime)) else {
            output.aside("\n(interrupted)")?;
            return Ok(if self.is_person { Next::GoOn } else { Next::Leave(Code::Interrupted) });
        };
        match concluded {
            Ok(conclusion) if output.json => {
                output.json_line(&conclusion.json)?;
                conclusion.tell_missed(output);
            }
            Ok(conclusion) => {
                output.text(&ended.rest_of(&conclusion.text))?;
                conclusion.tell_stand_in(output);
                conclusion.tell_missed(output);
                if let Some(approval) = conclusion.approval {
                    output.aside("Type /approve to run it, or /reject and why.")?;
                    self.waiting = Some(approval.token);
                }
            }
            Err(failure) => self.complain(&failure)?,
        }
        Ok(Next::GoOn)
    }

    /// Tells what went wrong; only a reader that went away ends the conversation.
    fn complain(&self, failure: &Failure) -> Result<(), Failure> {
        let output = &self.runtime.output;
        output.complain(failure);
        if output.json { output.json_line(&failure.to_json(&output.redactor)) } else { Ok(()) }
    }
}
