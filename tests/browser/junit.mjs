// What npm's junit2json reads in a JUnit file: the cases of suites whose name holds a word, counted by verdict.
import { readFile } from 'node:fs/promises';
import { parse } from 'junit2json';

const [, , file, wanted] = process.argv;
const report = await parse(await readFile(file, 'utf8'));
const suites = report.testsuite ?? [report];
const cases = suites.filter((suite) => suite.name.includes(wanted)).flatMap((suite) => suite.testcase ?? []);
const count = (kind) => cases.filter((one) => one[kind] !== undefined).length;
console.log(JSON.stringify({
  tests: cases.length,
  failures: count('failure'),
  errors: count('error'),
  skipped: count('skipped'),
}));
