((call target: (identifier) @_how (arguments (alias) @name) (do_block) @body) @namespace
  (#any-of? @_how "defmodule" "defimpl"))
((call target: (identifier) @_how (arguments (alias) @name) (do_block) @body) @interface
  (#eq? @_how "defprotocol"))
((call target: (identifier) @_how (arguments [(call target: (identifier) @name) (identifier) @name (binary_operator left: [(call target: (identifier) @name) (identifier) @name])]) (do_block)? @body) @function
  (#any-of? @_how "def" "defp" "defmacro" "defmacrop" "defguard" "defguardp" "defdelegate"))
((call target: (identifier) @_how (arguments (string (quoted_content) @name)) (do_block) @body) @test
  (#any-of? @_how "test" "describe" "property"))
(comment) @comment
(quoted_content) @mask
(call target: (identifier) @call)
(call target: (dot right: (identifier) @call))
(do_block (unary_operator operator: "@" operand: (call)) @lead)
