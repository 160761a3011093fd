() => 'caf\u00e9 "quoted" \ud83e\udd80 \ud800'
