// Prints, as one JSON object a line, each call in a tree's TypeScript and JavaScript files and where the compiler says it leads.
// usage: node calls.js TYPESCRIPT_JS ROOT
const fs = require("fs");
const path = require("path");
const ts = require(path.resolve(process.argv[2]));
const root = fs.realpathSync(process.argv[3]);
const files = [];
(function walk(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === ".git" || entry.name === "node_modules" || entry.isSymbolicLink()) continue;
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) walk(full);
    else if (/\.(ts|tsx|mts|cts|js|jsx|mjs|cjs)$/.test(entry.name)) files.push(full);
  }
})(root);
let paths;
const config = path.join(root, "tsconfig.json");
if (fs.existsSync(config)) {
  const read = ts.readConfigFile(config, ts.sys.readFile);
  paths = read.config && read.config.compilerOptions && read.config.compilerOptions.paths;
}
const program = ts.createProgram(files, {
  allowJs: true, checkJs: false, noEmit: true, skipLibCheck: true, jsx: ts.JsxEmit.Preserve, target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.Bundler || ts.ModuleResolutionKind.Node10,
  ...(paths ? { baseUrl: root, paths } : {}),
  module: ts.ModuleKind.ESNext, esModuleInterop: true,
});
const checker = program.getTypeChecker();
const relative = (file) => path.relative(root, file).split(path.sep).join("/");
for (const source of program.getSourceFiles()) {
  if (!source.fileName.startsWith(root + path.sep) || source.isDeclarationFile) continue;
  const visit = (node) => {
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      let name = node.expression;
      if (ts.isPropertyAccessExpression(name)) name = name.name;
      if (ts.isIdentifier(name) && name.text !== "require") {
        let symbol;
        try { symbol = checker.getSymbolAtLocation(name); } catch { symbol = undefined; }
        try { if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol); } catch { symbol = undefined; }
        const declared = (symbol && symbol.declarations) || [];
        const heads = [];
        for (const each of declared) {
          const file = each.getSourceFile().fileName;
          if (!file.startsWith(root + path.sep) || ts.isParameter(each)) continue;
          heads.push([relative(file), each.getSourceFile().getLineAndCharacterOfPosition(each.getStart()).line + 1]);
        }
        const at = source.getLineAndCharacterOfPosition(name.getStart());
        const known = declared.length > 0 && declared.every((each) => !ts.isParameter(each));
        console.log(JSON.stringify({ path: relative(source.fileName), line: at.line + 1, column: at.character, name: name.text, heads, known }));
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}
