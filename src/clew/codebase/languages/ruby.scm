(class) @class
(module) @namespace
(method) @function
(singleton_method) @method
(assignment left: (constant)) @constant
((call method: (identifier) @_test block: (_)) @test
  (#match? @_test "^(describe|context|it|specify|feature|scenario|shared_examples|test)$"))
((call method: (identifier) @_define arguments: (argument_list . (simple_symbol)) block: (_)) @method
  (#eq? @_define "define_method"))
(class superclass: (superclass . (_) @base))
((class body: (body_statement (call method: (identifier) @_mixin arguments: (argument_list [(constant) (scope_resolution)] @base))))
  (#match? @_mixin "^(include|extend|prepend)$"))
((module body: (body_statement (call method: (identifier) @_mixin arguments: (argument_list [(constant) (scope_resolution)] @base))))
  (#match? @_mixin "^(include|extend|prepend)$"))
(call arguments: (argument_list . (method) .)) @wrap
(comment) @comment
(string_content) @mask
(heredoc_content) @mask
(call method: (identifier) @call)
(call method: (constant) @call)
(assignment left: (identifier) @local)
(operator_assignment left: (identifier) @local)
(left_assignment_list (identifier) @local)
(method_parameters (identifier) @local)
(block_parameters (identifier) @local)
(lambda_parameters (identifier) @local)
(optional_parameter name: (identifier) @local)
(keyword_parameter name: (identifier) @local)
(splat_parameter name: (identifier) @local)
(hash_splat_parameter name: (identifier) @local)
(block_parameter name: (identifier) @local)
(exception_variable (identifier) @local)
(for pattern: (identifier) @local)
((call !receiver method: (identifier) @_require arguments: (argument_list (string))) @import
  (#match? @_require "^(require|require_relative|load|autoload)$"))
(assignment left: [(identifier) (instance_variable)] right: (call)) @typed
