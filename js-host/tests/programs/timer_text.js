() => setTimeout('evil()', 1)
