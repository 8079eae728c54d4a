//! What goes on by itself: waiting requests, the atomic planner, and cleaning up.

use super::link::{EXECUTE, Link, PAUSE};
use super::operation::Operation;
use super::state::State;
use super::{answer, object::Agent};

impl State {
    /// Let everything happen that can happen now.
    pub(super) fn advance(&mut self) {
        let mut operations = std::mem::take(&mut self.operations);
        for operation in &mut operations {
            release(operation);
            // Only finishing has a next step, and there is one finish.
            while self.step(operation) {}
        }
        self.operations = operations;
    }

    /// One step of an operation, if there is one to take.
    fn step(&self, operation: &mut Operation) -> bool {
        if !matches!(operation.state.as_str(), "running" | "run_one_link") {
            return self.close(operation);
        }
        if operation.chain.iter().any(|link| !link.cleanup && link.finish.is_none() && link.status < 0) {
            return false;
        }
        let members = self.agents.iter().filter(|agent| operation.covers(agent) && agent.trusted);
        let next: Vec<Link> = members.filter_map(|agent| self.next_link(operation, agent)).collect();
        if next.is_empty() {
            if operation.auto_close {
                "finished".clone_into(&mut operation.state);
            }
            return operation.auto_close;
        }
        for link in next {
            // An operation that runs one link is paused by it; the others are decided on again when it goes on.
            if operation.apply(link).is_err() {
                break;
            }
        }
        false
    }

    /// The next of the adversary's abilities that an agent can run and has not.
    fn next_link(&self, operation: &Operation, agent: &Agent) -> Option<Link> {
        let had = |id: &str| operation.chain.iter().any(|link| link.paw == agent.paw && link.ability_id() == id);
        let abilities = operation.adversary.ordering.iter().filter(|id| !had(id)).filter_map(|id| self.ability(id));
        let (ability, executor) = abilities
            .filter(|ability| agent.is_privileged_for(ability))
            .find_map(|ability| Some((ability, agent.executor(ability)?)))?;
        let status = if operation.autonomous { EXECUTE } else { PAUSE };
        let (shown, command) = (executor.display(), executor.command.clone());
        Some(Link::new(&agent.paw, &agent.host, ability.display(), shown, command, status))
    }

    /// When an operation has ended, what its links left behind is taken away, by the abilities' own commands.
    fn close(&self, operation: &mut Operation) -> bool {
        if operation.state != "finished" || std::mem::replace(&mut operation.is_closing, true) {
            return false;
        }
        let links = operation.chain.iter().rev().filter(|link| link.status >= 0).flat_map(|link| {
            let ability = self.ability(link.ability_id());
            let executor = ability.and_then(|ability| self.agent(&link.paw)?.executor(ability));
            executor.into_iter().flat_map(|executor| {
                executor.cleanup.iter().map(|command| Link {
                    cleanup: true,
                    ..Link::new(&link.paw, &link.host, link.ability.clone(), executor.display(), command.clone(), EXECUTE)
                })
            })
        });
        let links: Vec<Link> = links.collect();
        operation.chain.extend(links);
        false
    }
}

/// Give the requests that wait for this operation their links, now that it runs; whether anybody still waits for the answer or not.
fn release(operation: &mut Operation) {
    for held in std::mem::take(&mut operation.held) {
        let shown = held.link.display();
        match operation.apply(held.link) {
            // The client may be gone; its link runs all the same.
            Ok(()) => drop(held.answer.send(answer::ok(200, &shown))),
            Err(link) => operation.held.push(super::operation::Held { link: *link, answer: held.answer }),
        }
    }
}
