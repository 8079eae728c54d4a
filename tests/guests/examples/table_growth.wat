;; Grows its table until it may not, and breaks when it is told no. Rust has no instruction for this.
;;
;; The exports are those of the canonical ABI for casemate:plugin/tools, as wit-component wants them. `ping` is answered like
;; every other guest answers it: four letters, where the other tools have three or six.
(module
  (memory (export "memory") 1)
  (table $table 1 funcref)

  ;; At 1024, an outcome of one text; at 2048, what it says.
  (data (i32.const 2048) "pong")

  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    ;; The arguments of the call are all that is ever put here, one behind the other from 4096 on.
    (local $at i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 7)) (i32.const -8)))
    (local.get $at))
  (global $free (mut i32) (i32.const 4096))

  (func (export "casemate:plugin/tools@0.1.0#describe") (result i32)
    unreachable)

  ;; tool, arguments and settings, each as address and length.
  (func (export "casemate:plugin/tools@0.1.0#call") (param $tool i32) (param $tool_length i32) (param i32 i32 i32 i32) (result i32)
    (if (i32.ne (local.get $tool_length) (i32.const 4))
      (then
        (loop $again
          (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1))))
        unreachable))
    ;; ok(outcome { content: [text("pong")], structured: none })
    (i32.store8 (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1032) (i32.const 1088))
    (i32.store (i32.const 1036) (i32.const 1))
    (i32.store8 (i32.const 1040) (i32.const 0))
    (i32.store8 (i32.const 1088) (i32.const 0))
    (i32.store (i32.const 1092) (i32.const 2048))
    (i32.store (i32.const 1096) (i32.const 4))
    (i32.const 1024)))
