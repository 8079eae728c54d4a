//! What holds for every grant: flow rules, the breaker, sessions, approvers; and each tool's own switches.

use std::collections::BTreeMap;

use casemate_policy::{
    ApprovalMode, ApprovalRule, Guards, Window,
    approval::{Approver, Approvers},
    breaker::{BreakerRules, Rate},
    flow::{self, FlowName, FlowRule, FlowWhen, Forbidden},
    session::SessionRules,
};
use casemate_signing::key::PublicKey;
use toml::Spanned;

use super::{Resolver, ToolConfig, file, nearest};

impl Resolver<'_> {
    pub(super) fn guards(
        &mut self,
        flows: Vec<file::Flow>,
        without: &[Spanned<String>],
        breaker: file::Breaker,
        session: file::Session,
        approvers: BTreeMap<Spanned<String>, file::Approver>,
    ) -> Guards {
        let default = BreakerRules::default();
        let keep = match session.keep {
            None => SessionRules::default().keep,
            Some(keep) if keep.get_ref() == "forever" => None,
            Some(keep) => self.form(&keep).or(SessionRules::default().keep),
        };
        Guards {
            flows: self.flows(flows, without),
            breaker: BreakerRules {
                denials: self.rate("denials", breaker.denials, default.denials),
                variants: self.rate("variants", breaker.variants, default.variants),
                burst: self.rate("burst", breaker.burst, default.burst),
            },
            session: SessionRules { keep },
            approvers: self.approvers(approvers),
            // Read beside the configuration, and compiled when the tools are known.
            policies: None,
            // Resolved beside the grants that name them.
            sources: Vec::new(),
            // The authorization server's section says so.
            step_up: BTreeMap::new(),
        }
    }

    /// The operator's, and the built-in ones that were not switched off by name.
    fn flows(&mut self, flows: Vec<file::Flow>, without: &[Spanned<String>]) -> Vec<FlowRule> {
        let mut rules = flow::defaults();
        for name in without {
            let text = name.get_ref();
            if !flow::defaults().iter().any(|rule| rule.name.as_str() == text) {
                let known = flow::defaults();
                let help = match nearest(text, known.iter().map(|rule| rule.name.as_str())) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => known.iter().map(|rule| rule.name.to_string()).collect::<Vec<_>>().join(", "),
                };
                self.faults.push(format!("{}: there is no built-in flow rule `{text}`\nhelp: {help}", self.place(name.span())));
            }
            rules.retain(|rule| rule.name.as_str() != text);
        }
        for (number, file) in flows.into_iter().enumerate() {
            rules.extend(self.flow(number + 1, file));
        }
        rules
    }

    fn flow(&mut self, number: usize, file: file::Flow) -> Option<FlowRule> {
        let name = match &file.name {
            Some(name) => self.form(name),
            None => format!("flow-{number}").parse().ok(),
        };
        let when = match (&file.after, &file.carries) {
            (Some(label), None) => self.form(label).map(FlowWhen::After),
            (None, Some(label)) => self.form(label).map(FlowWhen::Carries),
            _ => {
                self.faults.push(format!(
                    "{}: a flow rule begins with one thing\nhelp: write `after = \"LABEL\"` or `carries = \"LABEL\"`",
                    self.place(file.forbid.span())
                ));
                None
            }
        };
        let place = self.place(file.forbid.span());
        self.flow_places.extend(name.clone().map(|name: FlowName| (name, place)));
        let forbid = file.forbid.into_inner();
        let tools = self.patterns(forbid.tools);
        let forbids = Forbidden { effect: forbid.effect, tools };
        let unless_approved = matches!(file.unless, Some(file::Unless::Approval));
        Some(FlowRule { name: name?, when: when?, forbids, unless_approved })
    }

    fn rate(&mut self, setting: &'static str, file: Option<Spanned<file::Rate>>, default: Option<Rate>) -> Option<Rate> {
        let Some(file) = file else { return default };
        let span = file.span();
        let place = self.place(span.clone());
        self.breaker_places.insert(setting, place);
        match file.into_inner() {
            file::Rate::Switch(true) => {
                self.faults.push(format!(
                    "{}: `true` says nothing\nhelp: write `{{ count = 20, per = \"10m\" }}`, or `false` to watch nothing",
                    self.place(span)
                ));
                default
            }
            file::Rate::Switch(false) => None,
            file::Rate::Table(table) => {
                let per: Option<Window> = self.form(&table.per);
                per.map(|per| Rate { count: table.count, per })
            }
        }
    }

    fn approvers(&mut self, approvers: BTreeMap<Spanned<String>, file::Approver>) -> Approvers {
        let known: Vec<Approver> = approvers
            .into_iter()
            .filter_map(|(name, file)| {
                let key = match PublicKey::from_base64(file.key.get_ref()) {
                    Ok(key) => Some(key),
                    Err(error) => {
                        self.faults.push(format!(
                            "{}: {error}\nhelp: `casemate approver new` prints the line to put here",
                            self.place(file.key.span())
                        ));
                        None
                    }
                };
                let name = self.form(&name);
                let principals = file.principals.iter().filter_map(|principal| self.form(principal)).collect();
                let roles = self.roles(&file.roles);
                Some(Approver { name: name?, key: key?, principals, roles })
            })
            .collect();
        Approvers::new(known).unwrap_or_else(|error| {
            self.faults.push(format!("{}: {error}", self.path.display()));
            Approvers::default()
        })
    }

    pub(super) fn tool(&mut self, file: file::Tool) -> ToolConfig {
        let roles = self.roles(&file.roles);
        let approval = file.approval.map(|approval| self.approval(approval));
        ToolConfig { enabled: file.enabled, dry_run: file.dry_run, approval, roles }
    }

    fn approval(&mut self, file: file::Approval) -> ApprovalRule {
        let table = match file {
            file::Approval::Mode(mode) => return ApprovalRule::of(resolved(mode)),
            file::Approval::Table(table) => table,
        };
        let mut rule = ApprovalRule::of(resolved(table.mode));
        if let Some(quorum) = table.quorum {
            if *quorum.get_ref() == 0 {
                self.faults.push(format!(
                    "{}: a quorum of nobody is no approval\nhelp: write `mode = \"none\"` if that is what you want",
                    self.place(quorum.span())
                ));
            }
            if *quorum.get_ref() > 1 && rule.mode == ApprovalMode::InBand {
                self.faults.push(format!(
                    "{}: at the client there is one person\nhelp: a quorum needs `mode = \"operator\"`",
                    self.place(quorum.span())
                ));
            }
            rule.quorum = quorum.into_inner();
        }
        rule.roles = self.roles(&table.roles);
        if let Some(lasts) = table.lasts {
            rule.lasts = self.form(&lasts).unwrap_or(rule.lasts);
        }
        rule
    }
}

fn resolved(mode: file::ApprovalMode) -> ApprovalMode {
    match mode {
        file::ApprovalMode::None => ApprovalMode::None,
        file::ApprovalMode::InBand => ApprovalMode::InBand,
        file::ApprovalMode::Operator => ApprovalMode::Operator,
    }
}
